"""Pages as a reader sees them, in headless Chromium, and the files they need."""

import plotly.graph_objects
import plotly.offline
import pytest
from browsing import opened

from recbole_dsl.common.html_page import Bold, Page, Section, page_text, plotly_name, write_page

INSIDE = "document.body.scrollWidth <= window.innerWidth"


def _bars():
    figure = plotly.graph_objects.Figure()
    figure.add_bar(x=["head", "tail"], y=[0.3, 0.1], name="NDCG@20 </script>")
    return figure


def _page(*sections, **parts):
    return Page("A & B", list(sections), **parts)


@pytest.mark.slow
def test_a_page_draws_in_a_browser_without_network_or_console_error(tmp_path):
    path = tmp_path / "page.html"
    page = _page(
        Section("Groups", "What it shows.\n\nAnd why.", [_bars()]),
        Section("Numbers", table=[["group", "value"], ["<head>", 0.3]]),
        verdict=["A is <best>."], warnings=["But."], intro="One run.",
    )  # fmt: skip
    write_page(path, page)
    with opened(path) as (shown, errors):
        assert errors == []
        assert shown.title() == "A & B"
        assert shown.locator(".bars .point").count() == 2
        said = ["A is <best>.", "But.", "One run.", "What it shows.", "And why."]
        assert shown.locator("p").all_inner_texts() == said
        assert shown.locator("td").all_inner_texts() == ["<head>", "0.3"]


@pytest.mark.slow
@pytest.mark.parametrize("width", [1400, 500])
def test_nothing_is_wider_than_the_window_but_a_table_scrolls_in_its_box(tmp_path, width):
    wide = [["column"] * 30, ["cell"] * 30]
    page = _page(Section("Wide " * 40, "", [_bars(), _bars()], wide), verdict=["long" * 200])
    write_page(tmp_path / "page.html", page)
    with opened(tmp_path / "page.html", width=width) as (shown, errors):
        assert errors == [] and shown.evaluate(INSIDE)
        assert shown.locator(".plotly-graph-div").first.bounding_box()["width"] <= width
        box = (
            "(b => [b.scrollWidth > b.clientWidth, b.clientWidth])(document.querySelector('.wide'))"
        )
        scrolls, shown_width = shown.evaluate(box)
        assert scrolls and shown_width <= width


@pytest.mark.slow
def test_buttons_save_a_picture_and_copy_a_table(tmp_path):
    rows = [["model", "ndcg_10"], ["A", Bold("0.5")], ["B & </textarea>", "0.4"]]
    page = _page(
        Section("Forest plot, iid", "", [_bars()], rows),
        Section("Given", table=rows, latex="\n\\begin{table}"),
    )
    write_page(tmp_path / "page.html", page)
    with opened(tmp_path / "page.html") as (shown, errors):
        for kind, start in (("svg", b"<svg"), ("png", b"\x89PNG")):
            with shown.expect_download() as found:
                shown.click(f"button[data-save={kind}]")
            assert found.value.suggested_filename == f"forest-plot-iid.{kind}"
            assert found.value.path().read_bytes().startswith(start)
        shown.context.grant_permissions(["clipboard-read", "clipboard-write"])
        copied = []
        for place in range(2):
            shown.locator("button", has_text="LaTeX").nth(place).click()
            shown.wait_for_function("[...document.querySelectorAll('button')].some("
                                    "b => b.textContent === 'Copied')")  # fmt: skip
            copied.append(shown.evaluate("navigator.clipboard.readText()"))
            shown.wait_for_timeout(2100)
        assert errors == []
    assert r"model & ndcg\_10 \\" in copied[0] and r"A & \textbf{0.5} \\" in copied[0]
    assert r"B \& $<$/textarea$>$ & 0.4 \\" in copied[0]
    assert copied[1].strip() == "\\begin{table}"


@pytest.mark.slow
def test_the_menu_shows_the_sections_of_one_choice(tmp_path):
    page = _page(
        Section("always"), Section("one", "", [_bars()], choice="a@1"),
        Section("other", "", [_bars()], choice="b<"), chosen="b<",
    )  # fmt: skip
    write_page(tmp_path / "page.html", page)
    with opened(tmp_path / "page.html") as (shown, errors):
        seen = shown.locator("h2:visible")
        assert seen.all_inner_texts() == ["always", "other"]
        shown.select_option(".choices select", "a@1")
        assert seen.all_inner_texts() == ["always", "one"]
        shown.wait_for_selector(".plotly-graph-div:visible svg")
        shown.set_viewport_size({"width": 500, "height": 800})
        shown.select_option(".choices select", "b<")  # drawn before, at another width
        shown.wait_for_function(INSIDE)
        svg = shown.locator(".plotly-graph-div:visible .main-svg").first.bounding_box()
        assert svg["width"] <= 500 and errors == []


@pytest.mark.slow
def test_a_page_that_was_moved_alone_names_the_file_it_needs(tmp_path):
    write_page(tmp_path / "page.html", _page(Section("Plot", "", [_bars()]), verdict=["A won."]))
    (tmp_path / plotly_name()).unlink()
    with opened(tmp_path / "page.html", drawn=False) as (shown, _):
        assert f"needs the file {plotly_name()}" in shown.inner_text(".plotly-graph-div")
        assert shown.inner_text(".verdict") == "A won."


def test_plotly_lies_beside_the_pages_of_a_folder_once(tmp_path):
    for name in "ab":
        write_page(tmp_path / f"{name}.html", _page(Section("Plot", "", [_bars()])))
    assert {path.name for path in tmp_path.iterdir()} == {"a.html", "b.html", plotly_name()}
    assert plotly.offline.get_plotlyjs_version() in plotly_name()
    code = tmp_path / plotly_name()
    assert code.read_text() == plotly.offline.get_plotlyjs()
    assert (tmp_path / "a.html").stat().st_size < 100_000
    made = code.stat().st_mtime_ns
    write_page(tmp_path / "a.html", _page())
    assert code.stat().st_mtime_ns == made
    code.write_text("torn")
    write_page(tmp_path / "a.html", _page())
    assert code.read_text() == plotly.offline.get_plotlyjs()


@pytest.mark.slow
def test_values_that_differ_by_rounding_errors_are_drawn(tmp_path):
    figure = plotly.graph_objects.Figure()
    figure.add_scatter(x=["a", "b", "c"], y=[99.99999999999999, 100.0, 99.99999999999997])
    figure.update_yaxes(title="share", automargin=True)
    write_page(tmp_path / "page.html", _page(Section("Plot", "", [figure])))
    with opened(tmp_path / "page.html") as (_, errors):
        assert errors == []


def test_what_a_figure_says_ends_no_script():
    text = page_text(_page(Section("Plot", "", [_bars()])))
    assert "NDCG@20 " in text and "NDCG@20 </script>" not in text
