"""Backbones and losses that other packages bring: registered, or named by entry points."""

import re
import sys
from pathlib import Path

import pytest
from own_parts import forget_registered, write_distribution, write_guide_files
from quick import QUICK_PAIR

import recbole_dsl
from recbole_dsl.cli import benchmark, list_models, settings
from recbole_dsl.common.errors import UsageError
from recbole_dsl.config.run_config import Config
from recbole_dsl.experiments import launch
from recbole_dsl.experiments.checkpoint_settings import model_of
from recbole_dsl.models import plugins, registry
from recbole_dsl.models.resolve import host_models, resolve_model

QUICK = {**QUICK_PAIR, "width": 8}
del QUICK["embedding_size"]
PAIRS = [(f"u{u}", f"i{i}") for u in range(8) for i in range(12) if (u + i) % 3]
BACKBONES, LOSSES = "recbole_dsl.backbones", "recbole_dsl.losses"


@pytest.fixture
def site(own_folder, monkeypatch):
    """A folder of installed packages with the guide's backbone and loss, which nothing names."""
    folder = own_folder / "site"
    folder.mkdir()
    write_guide_files(folder)
    monkeypatch.setattr(sys, "path", sys.path[:])
    monkeypatch.syspath_prepend(folder)
    yield folder
    forget_registered()
    for name in ("tower", "hinge", "broken", "leaves"):
        sys.modules.pop(name, None)


@pytest.fixture
def classes(site):
    """The classes of the guide, imported."""
    import hinge
    import tower

    return tower.Tower, hinge.HingeLoss


# Registered ----------------------------------------------------------------------------------


@pytest.mark.slow
def test_registered_names_are_models_with_every_loss_and_backbone(classes, capsys):
    tower, hinge = classes
    recbole_dsl.register_backbone("Tower", tower)
    recbole_dsl.register_loss("Hinge", hinge)
    for name in ("Tower_Hinge", "Tower_SL", "LightGCN++_Hinge"):
        spec = resolve_model(name)
        assert (spec.name, spec.is_pair, spec.source) == (name, True, "recbole_dsl")
    assert settings.main(["Tower_Hinge"]) == 0
    text = capsys.readouterr().out
    assert "tower.yaml:\n  width" in text and "hinge.yaml:\n" in text
    text = list_models.describe()
    assert "Losses of other packages:\n  Hinge       each sampled negative should lose by" in text
    assert "  Tower       an embedding and a layer for users, and for items\n" in text
    assert "registered (tower:Tower); Covington et al., RecSys 2016\n" in text
    with pytest.raises(UsageError, match="unknown loss 'Hing' .* did you mean Tower_Hinge?"):
        resolve_model("Tower_Hing")
    with pytest.raises(UsageError, match="unknown model 'Towr_SL'; did you mean Tower_SL?"):
        resolve_model("Towr_SL")


def test_a_file_of_settings_may_lie_anywhere(classes, own_folder):
    (own_folder / "other.yaml").write_text("width: 5\n")
    recbole_dsl.register_backbone("Tower", classes[0], properties="other.yaml")
    config = Config("Tower_SL", "ml-100k")
    assert config["width"] == 5
    assert config.origins["width"] == f"backbone file {own_folder / 'other.yaml'}"
    with pytest.raises(
        UsageError, match="properties of the backbone Tower: there is no file .*no.y"
    ):
        recbole_dsl.register_backbone("Tower", classes[0], properties="no.yaml")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("MF", "MF is a backbone of recbole_dsl: choose another name"),
        ("NeuMF", "NeuMF is a model of RecBole: choose another name"),
        ("Random", "Random is a model of RecBole"),
        (
            "My_Tower",
            "the name of a backbone is letters, digits, + and -, a letter first, got 'My_",
        ),
        ("tower:Tower", "got 'tower:Tower'"),
        ("", "got ''"),
        (3, "got 3"),
    ],
)
def test_a_name_that_is_taken_or_none_is_refused(name, message, classes):
    with pytest.raises(UsageError, match=re.escape(message)):
        recbole_dsl.register_backbone(name, classes[0])
    assert registry.backbone_names() == list(registry.BACKBONES)


@pytest.mark.slow
def test_the_names_of_recboles_models_are_known_without_importing_them():
    assert set(host_models()) - plugins._models_of_recbole() == set()


def test_one_name_is_one_class(classes):
    tower, hinge = classes
    recbole_dsl.register_backbone("Tower", tower)
    other = type("Other", (tower,), {})
    with pytest.raises(UsageError, match="the backbone Tower is registered: tower:Tower"):
        recbole_dsl.register_backbone("Tower", other)
    again = type("Tower", (tower,), {"__module__": "tower"})  # a module, or a cell, that ran again
    recbole_dsl.register_backbone("Tower", again)
    assert registry.backbone_class("Tower") is again
    with pytest.raises(UsageError, match="BSL is a loss of recbole_dsl"):
        recbole_dsl.register_loss("BSL", hinge)


@pytest.mark.parametrize(
    ("register", "given", "message"),
    [
        ("register_backbone", int, "it is no subclass of torch.nn.Module"),
        ("register_backbone", "tower:Tower", "it is no subclass of torch.nn.Module"),
        ("register_loss", dict, "it is no subclass of recbole_dsl.losses.RowLoss"),
    ],
)
def test_what_is_no_part_is_refused(register, given, message, site):
    with pytest.raises(UsageError, match=f"'X' is no (backbone|loss): {message}"):
        getattr(recbole_dsl, register)("X", given)


def test_another_process_registers_the_same(classes):
    tower, hinge = classes
    recbole_dsl.register_backbone("Tower", tower)
    recbole_dsl.register_loss("Hinge", hinge)
    found = plugins.for_other_processes(resolve_model("Tower_Hinge").parts, "nproc 2")
    assert [(one.kind, one.name, one.target) for one in found] == [
        ("backbone", "Tower", "tower:Tower"), ("loss", "Hinge", "hinge:HingeLoss"),
    ]  # fmt: skip
    forget_registered()
    registry.register_again(found)
    assert resolve_model("Tower_Hinge").name == "Tower_Hinge"
    assert plugins.for_other_processes(resolve_model("MF_SL").parts, "nproc 2") == []


@pytest.mark.parametrize(
    "place",
    [{"__module__": "__main__"}, {"__qualname__": "f.<locals>.T"}, {"__qualname__": "Outer.T"}],
)
def test_a_class_that_other_processes_cannot_import_stays_in_one(place, classes):
    cls = type("T", (classes[0],), {"__module__": "tower", **place})
    path = Path(sys.modules["tower"].__file__).with_suffix(".yaml")
    recbole_dsl.register_backbone("Tower", cls, properties=path)
    config = Config("Tower_SL", "ml-100k", config_dict={"nproc": 2})
    with pytest.raises(
        UsageError, match="nproc 2: other processes cannot import .*put the class i"
    ):
        launch.to_be_launched(config)


@pytest.mark.slow
def test_a_benchmark_says_that_its_commands_cannot_know_it(classes, capsys, make_dataset):
    make_dataset("toy", PAIRS)
    recbole_dsl.register_backbone("Tower", classes[0])
    assert benchmark.main(["--model=Tower_SL", "--dataset=toy"]) == 2
    assert "Tower_SL: the backbone Tower is registered in this process alone" in (
        capsys.readouterr().err
    )


@pytest.mark.slow
def test_processes_of_a_run_and_of_a_study_know_it(classes, make_dataset):
    make_dataset("toy", PAIRS)
    recbole_dsl.register_backbone("Tower", classes[0])
    recbole_dsl.register_loss("Hinge", classes[1])
    result = recbole_dsl.run("Tower_Hinge", "toy", config_dict={**QUICK, "nproc": 2})
    assert (result["world_size"], result["settings"]["width"]["value"]) == (2, 8)
    loaded = recbole_dsl.load(result["checkpoint"])  # no class is imported: it is known here
    assert type(loaded.model.loss).__name__ == "HingeLoss"
    given = {key: value for key, value in QUICK.items() if key != "width"}
    found = recbole_dsl.tune(
        "Tower_Hinge", "toy", config_dict=given, ranges={"width": [4, 8]}, trials=2, jobs=2,
        sampler="grid",
    )  # fmt: skip
    assert found["trials"]["complete"] == 2 and found["best"]["width"] in (4, 8)


# Entry points --------------------------------------------------------------------------------


def _broken(site):
    (site / "broken.py").write_text("import no_such_package\n")
    (site / "leaves.py").write_text("import sys\n\nsys.exit('no licence')\n")
    return {"Broken": "broken:Tower", "Leaves": "leaves:Tower", "Lacks": "tower:Towr"}


@pytest.mark.slow
def test_an_entry_point_is_imported_when_it_is_asked_for(site):
    groups = {BACKBONES: {"Tower": "tower:Tower", **_broken(site)}}
    write_distribution(site, "tower-plugin", {**groups, LOSSES: {"Hinge": "hinge:HingeLoss"}})
    for name in ("MF_SL", "BPR"):
        resolve_model(name)
    with pytest.raises(UsageError, match="unknown model 'Towr_SL'; did you mean Tower_SL?"):
        resolve_model("Towr_SL")
    assert "Tower" in registry.backbone_names() and "tower" not in sys.modules
    config = Config("Tower_Hinge", "ml-100k")
    assert (config["model"], config["width"], config["margin"]) == ("Tower_Hinge", 64, 0.3)
    assert "broken" not in sys.modules
    assert (
        plugins.for_other_processes(config.spec.parts, "nproc 2") == []
    )  # they find it themselves


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("Broken_SL", "the backbone Broken of tower-plugin 0.1 (broken:Tower) cannot be imported: "
         "No module named 'no_such_package'"),
        ("Leaves_SL", "(leaves:Tower) cannot be imported: SystemExit: no licence (leaves.py, line"),
        ("Lacks_SL", "(tower:Towr) cannot be imported: AttributeError: module 'tower' has no att"),
    ],
)  # fmt: skip
def test_one_that_cannot_be_imported_is_one_line(model, message, site, capsys):
    write_distribution(site, "tower-plugin", {BACKBONES: _broken(site)})
    with pytest.raises(UsageError, match=re.escape(message)) as error:
        resolve_model(model)
    assert "\n" not in str(error.value)
    text = list_models.describe()
    assert message in text and text.count("cannot be imported") == 3
    assert "BPR" in text.split()


def test_names_of_ours_and_of_recbole_stay_ours(site):
    names = {"MF": "tower:Tower", "NeuMF": "tower:Tower", "My_Tower": "tower:Tower"}
    write_distribution(site, "tower-plugin", {BACKBONES: names})
    assert registry.backbone_class("MF") is registry.BACKBONES["MF"]
    assert resolve_model("MF_SL").parts[0].origin == plugins.OURS
    assert model_of({"model": "NeuMF"}, "x.pth") == "NeuMF"
    with pytest.raises(UsageError, match="NeuMF is a model of RecBole: choose another name"):
        resolve_model("NeuMF_SL")
    text = list_models.describe()
    for message in (
        "MF is a backbone of recbole_dsl: ch",
        "NeuMF is a model of RecBole",
        "'My_Tower'",
    ):
        assert message in text
    assert "tower" not in sys.modules


def test_a_name_of_two_packages_is_refused(site, classes):
    write_distribution(site, "one", {BACKBONES: {"Tower": "tower:Tower [fast]"}})
    recbole_dsl.register_backbone("Tower", classes[0])  # the same class
    assert [name for name, _ in registry.of_other_packages("backbone")] == ["Tower"]
    forget_registered()
    write_distribution(site, "two", {BACKBONES: {"Tower": "hinge:Tower"}})
    with pytest.raises(UsageError, match="Tower is in one 0.1 .* and two 0.1 .*: uninstall one of"):
        resolve_model("Tower_SL")
    with pytest.raises(UsageError, match=re.escape("Tower is that of two 0.1 (hinge:Tower)")):
        recbole_dsl.register_backbone("Tower", classes[0])


def test_nothing_is_imported_because_a_checkpoint_names_it(site):
    write_distribution(
        site, "tower-plugin",
        {BACKBONES: {"Tower": "tower:Tower"}, LOSSES: {"Hinge": "hinge:HingeLoss"}},
    )  # fmt: skip
    for stored in ("Tower_SL", "MF_Hinge"):
        place = "tower:Tower" if stored == "Tower_SL" else "hinge:HingeLoss"
        message = f"x.pth is of {stored}, which is in tower-plugin 0.1 ({place}): no class is imp"
        with pytest.raises(UsageError, match=re.escape(message)):
            model_of({"model": stored}, "x.pth")
        assert model_of({"model": stored}, "x.pth", stored) == stored
        assert not {"tower", "hinge"} & set(sys.modules)
    resolve_model("Tower_SL")  # the user asks for it
    assert model_of({"model": "Tower_SL"}, "x.pth") == "Tower_SL"
