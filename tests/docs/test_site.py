"""The built site: strict, without anything from other hosts, readable in a narrow window."""

import re
import subprocess
import sys

import pytest
from browsing import opened
from quick import ROOT

pytestmark = pytest.mark.slow
# What sticks out of the window and cannot be scrolled to by itself.
_WIDE = """() => {
    const width = document.documentElement.clientWidth
    const inside = '.md-typeset__scrollwrap, pre, .equation, .md-nav, .md-tabs'
    const out = [...document.querySelectorAll('.md-content *')].filter(
        e => e.getBoundingClientRect().right > width + 1 && !e.closest(inside))
    return [document.documentElement.scrollWidth - width, out.map(e => e.outerHTML.slice(0, 80))]
}"""


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "-q", "-d", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def test_nothing_is_loaded_from_other_hosts(site):
    pages = list(site.rglob("*.html"))
    assert len(pages) > 50
    for path in pages:
        text = path.read_text(encoding="utf-8")
        for tag in re.findall(r"<(?:script|link|img|iframe)\b[^>]*>", text):
            assert not re.search(r'(?:src|href)="(?:https?:)?//', tag), f"{path}: {tag}"
    for path in site.rglob("*.css"):
        assert not re.search(r"url\(\s*['\"]?(?:https?:)?//|@import", path.read_text()), path


def test_generated_pages_show_settings_equations_and_names(site):
    text = (site / "losses/DSL.html").read_text(encoding="utf-8")
    assert "<math" in text
    assert "Differs from source" in text and 'id="recbole_dsl.losses.dsl.dsl_loss"' in text
    reference = (site / "reference/settings.html").read_text(encoding="utf-8")
    for name in ("eval_memory", "train_neg_sample_args.block", "load_col", "learning_rate"):
        assert f"<code>{name}</code>" in reference
    assert "recbole_dsl.load_recommender" in (site / "reference/api.html").read_text()
    assert 'class="rooms"' in (site / "about/architecture.html").read_text()


def test_nothing_is_left_of_the_docstrings_own_signs(site):
    for path in site.rglob("*.html"):
        text = path.read_text(encoding="utf-8")
        shown = re.sub(r"<details.*?</details>|<pre.*?</pre>", "", text, flags=re.DOTALL)
        for sign in ("$$", ":func:", ":class:", ":math:", ".. math", "``"):
            assert sign not in shown, f"{path}: {sign}"


@pytest.mark.parametrize("width", [1400, 500])
@pytest.mark.parametrize(
    "name", ["index", "losses/BSL", "reference/settings", "results/index", "about/architecture"]
)
def test_pages_fit_the_window(name, width, site):
    with opened(site / f"{name}.html", width=width, drawn=False) as (page, errors):
        too_wide, parts = page.evaluate(_WIDE)
        assert too_wide <= 0 and not parts
        assert not errors
