from recbole_dsl.cli import list_models
from recbole_dsl.common.property_files import properties_dir
from recbole_dsl.models.registry import BACKBONES, LOSSES


def test_list_shows_every_name_with_paper_and_a_file_that_exists(capsys):
    assert list_models.main([]) == 0
    text = capsys.readouterr().out
    for folder, table in (("loss", LOSSES), ("backbone", BACKBONES)):
        for name, item in table.items():
            path = f"properties/{folder}/{name}.yaml"
            assert path in text and item.paper in text
            assert (properties_dir() / folder / f"{name}.yaml").is_file()
    assert max(map(len, text.splitlines())) <= 110
    for name in [*BACKBONES, *LOSSES, "BPR", "EASE", "MultiVAE", "SimpleX", "NGCF"]:
        assert name in text.split()


def test_list_shows_the_presets_with_what_they_are(capsys):
    assert list_models.main([]) == 0
    lines = capsys.readouterr().out.splitlines()
    place = lines.index("Presets of settings, --config_files=preset:NAME:")
    names = "ir_benchmark", "popularity_shift"
    for name, line in zip(names, lines[place + 1 :], strict=False):
        text = (properties_dir() / "presets" / f"{name}.yaml").read_text(encoding="utf-8")
        assert line == f"  {name:16}  {text.splitlines()[0].removeprefix('# ')}"


def test_list_takes_nothing(capsys):
    assert list_models.main(["LightGCN"]) == 2
    assert list_models.main(["--model=LightGCN"]) == 2
    assert capsys.readouterr().err.count("\n") == 2
