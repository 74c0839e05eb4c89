import plotly.graph_objects
import pytest
from browsing import opened

from recbole_dsl.common.html_page import Section, write_page


@pytest.mark.slow
def test_a_page_draws_in_a_browser_without_network_or_console_error(tmp_path):
    figure = plotly.graph_objects.Figure()
    figure.add_bar(x=["head", "tail"], y=[0.3, 0.1], name="NDCG@20")
    sections = [
        Section("Groups", "What it shows.\n\nAnd why.", [figure]),
        Section("Numbers", table=[["group", "value"], ["<head>", 0.3]]),
    ]
    path = tmp_path / "page.html"
    write_page(path, "A & B", "One run.", sections)
    with opened(path) as (page, errors):
        assert errors == []
        assert page.title() == "A & B"
        assert page.locator(".bars .point").count() == 2
        assert page.locator("p").all_inner_texts() == ["One run.", "What it shows.", "And why."]
        assert page.locator("td").all_inner_texts() == ["<head>", "0.3"]
        inside = "document.documentElement.scrollWidth <= window.innerWidth"
        assert page.evaluate(inside), "the page is wider than the window"


@pytest.mark.slow
def test_a_page_fits_a_narrow_window(tmp_path):
    figure = plotly.graph_objects.Figure()
    figure.add_scatter(x=[1, 2], y=[1, 2])
    path = tmp_path / "page.html"
    write_page(path, "A", "", [Section("Wide", "", [figure], [["column"] * 30, ["cell"] * 30])])
    with opened(path, width=400) as (page, errors):
        assert errors == []
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        assert page.locator(".plotly-graph-div").bounding_box()["width"] <= 400
