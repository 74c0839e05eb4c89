"""The README and the pages: links and anchors, length, commands, versions, cards."""

import re
import shlex

import cards
import documents
import pytest
import rooms
import yaml
from quick import ROOT

from recbole_dsl._version import __version__
from recbole_dsl.common.property_files import SEARCH, properties_dir, read_yaml
from recbole_dsl.models.registry import BACKBONES, LOSSES

MADE = {*cards.pages(), "reference/settings.md", "about/changelog.md"}  # as the site is built


def _target(path, link):
    """(page or file that a link names, its text or None where it is made), relative to docs/."""
    place = (path.parent / link).resolve()
    if place.is_relative_to(documents.DOCS):
        name = str(place.relative_to(documents.DOCS))
        if name in MADE:
            return name, cards.pages().get(name)
    assert place.exists(), f"{path.relative_to(ROOT)}: no {link}"
    return str(place), place.read_text(encoding="utf-8") if place.suffix == ".md" else None


def _check_links(path, text):
    for link in documents.links(text):
        if re.match(r"https?://", link):
            continue
        file, _, anchor = link.partition("#")
        content = _target(path, file)[1] if file else text
        if anchor and content is not None:
            known = documents.anchors(content)
            assert anchor in known, f"{path.relative_to(ROOT)}: no {link}; there are {known}"


@pytest.mark.parametrize("path", documents.WRITTEN, ids=lambda path: path.stem)
def test_every_link_and_anchor_of_a_page_resolves(path):
    _check_links(path, documents.of_page(path))


def test_every_link_of_a_generated_page_resolves():
    for name, text in cards.pages().items():
        _check_links(documents.DOCS / name, text)


@pytest.mark.parametrize("path", documents.WRITTEN, ids=lambda path: path.stem)
def test_pages_of_docs_do_not_lead_out_of_the_site(path):
    if path.is_relative_to(documents.DOCS):
        for link in documents.links(documents.of_page(path)):
            if not re.match(r"https?://|#", link):
                place = (path.parent / link.partition("#")[0]).resolve()
                assert place.is_relative_to(documents.DOCS), link


def test_every_page_is_in_the_menu():
    menu = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    for path in documents.WRITTEN:
        if path.is_relative_to(documents.DOCS):
            assert f" {path.relative_to(documents.DOCS)}" in menu, path


def test_the_readme_is_short():
    assert len(documents.of_page(ROOT / "README.md")) <= 8000


def test_the_readme_has_its_three_commands_each_one_line():
    text = documents.of_page(ROOT / "README.md")
    for mark in ("install-and-run", "test", "docs"):
        (block,) = re.findall(rf"<!-- {mark} -->\n```bash\n(.*?)```", text, flags=re.DOTALL)
        assert block.count("\n") == 1


@pytest.mark.slow
def test_the_results_of_the_readme_are_those_of_their_page():
    import ir_benchmark

    page = documents.of_page(documents.DOCS / "results/ir_benchmark.md")
    section = page.split("### amazon2014-health, MF\n", 1)[1]
    first_table = re.search(r"(?:^\|.*\n)+", section, flags=re.MULTILINE)[0]
    wanted = "\n".join(ir_benchmark.readme_table(first_table.splitlines()))
    assert wanted.count("\n") == 8
    text = documents.of_page(ROOT / "README.md")
    assert f"<!-- published -->\n\n{wanted}\n\n<!-- end of published -->" in text


@pytest.mark.slow
def test_the_readmes_table_of_the_study_is_that_of_its_store():
    import dsl_study
    from dsl_study_results import Study
    from dsl_study_tables import readme_table

    runs = dsl_study.Runs(dsl_study.read_store(dsl_study.STORE))
    wanted = "\n".join(readme_table(Study(runs, dsl_study.STORE)))
    assert wanted.count("\n") >= 9
    text = documents.of_page(ROOT / "README.md")
    assert f"<!-- study -->\n\n{wanted}\n\n<!-- end of study -->" in text


# Generated pages -----------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "table"), [("loss", LOSSES), ("backbone", BACKBONES)])
def test_every_registered_part_has_a_card(kind, table):
    folder = {"loss": "losses", "backbone": "backbones"}[kind]
    index = cards.pages()[f"{folder}/index.md"]
    for name, cls in table.items():
        text = cards.pages()[f"{folder}/{cards.file_name(name)}"]
        assert f"({cards.file_name(name)})" in index
        assert text.startswith(f"# {name}\n") and cls.paper in text
        assert f"::: {cls.__module__}.{cls.__name__}" in text
        settings = read_yaml(properties_dir() / kind / f"{name}.yaml")
        for key in settings.keys() - {SEARCH}:
            assert f"| `{key}` |" in text
        for key in settings[SEARCH]:
            assert f"| `{key}` | `" in text.split("## Search range")[1]
        assert ("Not measured" in text) == (cards.measured(name) is None)


@pytest.mark.parametrize("name", LOSSES)
def test_a_loss_card_has_the_equation_of_its_module(name):
    text = cards.pages()[f"losses/{cards.file_name(name)}"]
    shown = re.findall(r"^::: recbole_dsl\.(.+)\.(\w+)$", text, flags=re.MULTILINE)
    docs = []
    for module, member in shown:
        source = __import__(f"recbole_dsl.{module}", fromlist=[member])
        docs.append(getattr(source, member).__doc__)
    assert any(".. math::" in doc for doc in docs), shown
    assert any("Source:" in doc for doc in docs), shown


def test_the_picture_has_every_folder():
    drawn = rooms.svg()
    for folders in rooms.layers():
        for folder in folders:
            assert f">{folder}</text>" in drawn and rooms.purpose(folder)


def test_a_docstring_keeps_its_sections_equations_and_roles():
    from docstrings import markdown

    text = r"""Short.

    .. math:: a_b =
        \frac1M

    with :math:`a` of :func:`that`.

    Args:
        x, y: (B,) float. What
            they are.
    Returns:
        (B,) float: less than: that.
    Source: A and B, "C",
        D 2024.
    Example:
        >>> 1 + 1
        2
    """
    assert markdown(text, "recbole_dsl.losses.sl") == (
        "Short.\n\n\n$$ a_b = \\frac1M $$\n\n\nwith $a$ of "
        '<autoref identifier="recbole_dsl.losses.sl.that" optional><code>that()</code></autoref>.'
        "\n\n**Arguments:**\n\n- `x`, `y`: (B,) float. What\n    they are.\n\n"
        "**Returns:** (B,) float: less than: that.\n\n"
        '**Source:** A and B, "C",\nD 2024.\n\n**Example:**\n\n```pycon\n>>> 1 + 1\n2\n```'
    )


def test_an_equation_becomes_mathml_and_an_unknown_command_is_an_error():
    from mathml import mathml

    found = mathml(r"\log \frac1M \sum_j e^{d_j/\tau}", "block")
    assert found.startswith("<math") and "<mfrac><mn>1</mn><mi>M</mi></mfrac>" in found
    with pytest.raises(ValueError, match=r"no MathML for \\nonsense"):
        mathml(r"\nonsense + 1", "inline")


# Commands, versions --------------------------------------------------------------------------


def _every_command():
    for path in documents.WRITTEN:
        for line in documents.command_lines(documents.of_page(path)):
            words = shlex.split(line, comments=True)
            if words and words[0] in ("recbole_dsl", "python"):
                yield pytest.param(words, id=f"{path.stem}-{' '.join(words)[:60]}")


@pytest.mark.parametrize("words", list(_every_command()))
def test_every_command_of_the_pages_can_be_given(words):
    from recbole_dsl.__main__ import COMMANDS

    if words[0] == "python":
        scripts = [word for word in words if word.endswith(".py")]
        assert words[1] == "-m" or (scripts and all((ROOT / name).exists() for name in scripts))
        return
    assert words[1] in COMMANDS, words
    given = COMMANDS[words[1]].parse(words[2:])
    known = _known_settings()
    for key, _ in given.settings:
        assert key in known, f"{key} is no setting"


def _trainings():
    """The commands that train on ml-100k with models and files that are here, parsed."""
    from recbole_dsl.__main__ import COMMANDS

    for parameter in _every_command():
        (words,) = parameter.values
        given = None
        if words[:2] == ["python", "run_recbole_dsl.py"]:
            given = COMMANDS["run"].parse(words[2:])
        elif words[1] in ("run", "tune"):
            given = COMMANDS[words[1]].parse(words[2:])
        if given is None or given.options.get("list") or "resume" in given.options:
            continue
        if ":" in given.options.get("model", ""):  # the page's own class
            continue
        files = given.options.get("config_files", [])
        own = "dataset" in given.options and given.options["dataset"] != "ml-100k"
        if not own and all(file.startswith("preset:") for file in files):
            yield pytest.param(given, id=parameter.id)


@pytest.mark.parametrize("given", list(_trainings()))
def test_every_training_of_the_pages_has_a_model_and_a_dataset(given, own_folder):
    from recbole_dsl.cli.run_options import files_and_settings
    from recbole_dsl.config.run_config import Config

    files, pairs = files_and_settings(given)
    assert Config(config_file_list=files, arguments=pairs)["dataset"] == "ml-100k"


def _known_settings():
    from recbole_dsl.config.known_settings import UNLISTED, models_by_setting
    from recbole_dsl.config.property_layers import RECBOLE_PROPERTIES

    files = [properties_dir() / "overall.yaml", RECBOLE_PROPERTIES / "overall.yaml"]
    files.append(RECBOLE_PROPERTIES / "dataset/sample.yaml")
    shared = {key for path in files for key in read_yaml(path)}
    return {*UNLISTED, *models_by_setting(), *shared, "margin"}  # margin: of hinge.py


def test_the_version_stands_in_changelog_and_citation():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == __version__
    assert f"## [{__version__}]" in documents.of_page(ROOT / "CHANGELOG.md")
