"""A backbone of one's own as the guide shows it: one file, one YAML, any loss."""

import pickle
import re
import sys

import pytest
import torch
from own_parts import write_guide_files
from quick import QUICK_PAIR

import recbole_dsl
from recbole_dsl.cli import benchmark, diagnose, settings, tune
from recbole_dsl.common.errors import UsageError
from recbole_dsl.config.run_config import Config
from recbole_dsl.data.pipeline import load_dataset, split_dataset
from recbole_dsl.experiments.benchmark import plan
from recbole_dsl.experiments.benchmark.entries import entries
from recbole_dsl.models.build import build_model
from recbole_dsl.models.resolve import resolve_model

QUICK = {**QUICK_PAIR, "epochs": 2, "width": 8}
del QUICK["embedding_size"]  # a setting of this package's backbones


@pytest.fixture
def tower(own_folder, monkeypatch):
    """The recipes' files in a scratch folder, which is the current one."""
    monkeypatch.setattr(sys, "path", sys.path[:])
    write_guide_files(own_folder)
    yield own_folder
    for name in ("tower", "hinge"):
        sys.modules.pop(name, None)


def _change(folder, *pairs):
    path = folder / "tower.py"
    text = path.read_text()
    for before, after in pairs:
        assert before in text
        text = text.replace(before, after)
    path.write_text(text)


@pytest.mark.parametrize(
    ("target", "name", "backbone", "loss"),
    [
        ("tower:Tower_SL", "Tower_SL", "tower:Tower", "SL"),
        ("tower:Tower_hinge:HingeLoss", "Tower_HingeLoss", "tower:Tower", "hinge:HingeLoss"),
        ("MF_hinge:HingeLoss", "MF_HingeLoss", "MF", "hinge:HingeLoss"),
        ("tower:Tower_B_SL", "Tower_B_SL", "tower:Tower_B", "SL"),
        ("my_tower:Tower_DSL", "Tower_DSL", "my_tower:Tower", "DSL"),
        ("my_tower:Tower_my_hinge:HingeLoss", "Tower_HingeLoss", "my_tower:Tower",
         "my_hinge:HingeLoss"),
    ],
)  # fmt: skip
def test_the_parts_of_a_name(target, name, backbone, loss, tower):
    for file in ("tower.py", "tower.yaml", "hinge.py", "hinge.yaml"):
        (tower / f"my_{file}").write_text((tower / file).read_text())
    with (tower / "tower.py").open("a") as file:
        file.write("\n\nclass Tower_B(Tower):\n    pass\n")
    config = Config(target, "ml-100k")
    assert (config["model"], config["backbone"], config["loss"]) == (name, backbone, loss)
    for module in ("my_tower", "my_hinge"):
        sys.modules.pop(module, None)


def test_its_yaml_holds_its_defaults_and_what_they_may_be(tower, capsys):
    assert settings.main(["tower:Tower_hinge:HingeLoss", "--margin=0.5"]) == 0
    text = capsys.readouterr().out
    assert f"backbone file {tower / 'tower.yaml'}:\n  width                     64" in text
    assert "int >= 1       Length of the vectors." in text
    with pytest.raises(UsageError, match="^width must be an integer >= 1, got 0$"):
        Config("tower:Tower_SL", "ml-100k", config_dict={"width": 0})


def test_a_value_of_the_signature_needs_no_yaml(tower):
    _change(tower, ("width):", "width=32, dropout=0.0):"))
    (tower / "tower.yaml").unlink()
    config = Config("tower:Tower_SL", "ml-100k", config_dict={"dropout": 0.5})
    assert (config["width"], config["dropout"]) == (32, 0.5)
    assert config.origins["width"] == "backbone Tower, signature"


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("tower:Towr_SL", "'tower:Towr_SL': tower has no backbone 'Towr'; did you mean Tower?"),
        ("tower:Tower", "is a backbone, and a model has a loss too: tower:Tower_DSL"),
        ("tower:Tower_SSL", "unknown loss 'SSL' (known: DSL, SL, "),
        ("tower:Tower_hinge:Hinge", "hinge has no RowLoss 'Hinge'; did you mean HingeLoss?"),
        ("towr:Tower_SL", "'towr:Tower_SL': cannot import towr: No module named 'towr'"),
        ("tower:x_SL", "tower has no AbstractRecommender 'x_SL'"),
    ],
)
def test_a_wrong_name_gets_one_line(target, message, tower):
    with pytest.raises(UsageError, match=re.escape(message)):
        Config(target, "ml-100k")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("def embed", "def embedding"), "'tower:Tower' is no backbone: it has no method embed()"),
        ((", n_users, n_items, *", ", n_users, *"), "it must be built as Tower(users, items, "),
        (("import torch\n", "import torch\n\n1 / 0\n"),
         "cannot import tower: ZeroDivisionError: division by zero (tower.py, line 5)"),
        (("import torch\n", "import torch\nimport no_such\n"), "No module named 'no_such'"),
        (("class Tower", "clas Tower"), "cannot import tower: SyntaxError: invalid syntax (tower"),
        (("*, width", "*, width, depth"), "Tower_SL: setting 'depth' is missing"),
    ],
)  # fmt: skip
def test_a_class_that_cannot_be_used_gets_one_line(change, message, tower):
    _change(tower, change)
    with pytest.raises(UsageError, match=re.escape(message)) as error:
        Config("tower:Tower_SL", "ml-100k")
    assert "\n" not in str(error.value)


def test_a_class_by_the_name_of_one_of_ours_is_refused(tower):
    _change(tower, ("class Tower", "class MF"))
    with pytest.raises(
        UsageError, match="'tower:MF': MF is a backbone of recbole_dsl: give the cl"
    ):
        Config("tower:MF_SL", "ml-100k")


def test_a_stored_config_names_the_class_and_does_not_hold_it(tower):
    """RecBole pickles the Config with its datasets and loaders (save_dataset)."""
    stored = pickle.dumps(resolve_model("tower:Tower_hinge:HingeLoss"))
    for name in ("tower", "hinge"):
        sys.modules.pop(name)
    found = pickle.loads(stored)
    assert not {"tower", "hinge"} & set(sys.modules)
    assert [part.target for part in found.parts] == ["tower:Tower", "hinge:HingeLoss"]


PAIRS = [(f"u{u}", f"i{i}") for u in range(8) for i in range(12) if (u + i) % 3]


def _built(**given):
    config = Config("tower:Tower_SL", "toy", config_dict={**QUICK, **given})
    return build_model(config, split_dataset(config, load_dataset(config)).train._dataset)


@pytest.mark.parametrize(
    ("change", "got"),
    [
        (("return users, self", "return users[1:], self"), "(8, 8) and (13, 8)"),
        (("return users, self", "return users, users, self"), "(9, 8) and (9, 8) and (13, 8)"),
        (("return users, self", "return users.T.T, 1, self"), "(9, 8) and int and (13, 8)"),
        (("        return users, ", "        users.mean(), "), "got NoneType"),
    ],
)
def test_vectors_of_a_wrong_shape_are_named(change, got, tower, make_dataset):
    make_dataset("toy", PAIRS)
    _change(tower, change)
    model = _built()
    with pytest.raises(
        UsageError, match=re.escape("(9, D) and (13, D), row 0 for padding, got")
    ) as e:
        model.embed()
    assert str(e.value).endswith(got)


@pytest.mark.slow
def test_what_a_setting_needs_of_it_is_named(tower, make_dataset):
    make_dataset("toy", PAIRS)
    _change(tower, ("self.item_embedding", "self.items"))
    with pytest.raises(
        UsageError, match="reg_weight 0.1 is of .* has no item_embedding: set reg_w"
    ):
        _built(reg_weight=0.1)
    with pytest.raises(
        UsageError, match="init_from x is of .* has no item_embedding: leave it out"
    ):
        _built(init_from="x")
    with pytest.raises(
        UsageError, match="but tower:Tower has gradients for more than these rows; use learner: ad"
    ):
        _built(learner="sparse_adam")
    assert _built().embed()[1].shape == (13, 8)


def _assert_equal(one, other):
    assert set(one) == set(other)
    assert all(torch.equal(tensor, other[name]) for name, tensor in one.items())


@pytest.mark.slow
def test_it_runs_loads_recommends_and_goes_on(tower, make_dataset):
    make_dataset("toy", PAIRS)
    model, given = "tower:Tower_hinge:HingeLoss", {**QUICK, "epochs": 4, "checkpoint_every": 1}
    given["learning_rate"] = 0.05
    result = recbole_dsl.run(model, "toy", config_dict=given)
    assert result["model"] == "Tower_HingeLoss"
    assert result["epochs"][3]["train_loss"] < result["epochs"][0]["train_loss"]
    for name in ("tower", "hinge"):
        sys.modules.pop(name)
    with pytest.raises(
        UsageError, match="of a class of its own, tower:Tower_hinge:HingeLoss: no c"
    ):
        recbole_dsl.load(result["checkpoint"])
    assert "tower" not in sys.modules
    recommender = recbole_dsl.load_recommender(result["checkpoint"])
    assert len(recommender.recommend(k=2)) == 16 and "tower" not in sys.modules
    loaded = recbole_dsl.load(result["checkpoint"], model=model)
    assert type(loaded.model.backbone).__name__ == "Tower"

    def stop(epoch, score):
        if epoch == 1:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        recbole_dsl.run(model, "toy", config_dict=given, after_validation=stop)
    resumed = recbole_dsl.run(model, "toy", config_dict=given, resume=True)
    assert resumed["resumed_after"] == [0]
    weights = recbole_dsl.load(resumed["checkpoint"], model=model).model.state_dict()
    _assert_equal(weights, loaded.model.state_dict())


@pytest.mark.slow
def test_tuning_benchmark_and_diagnostics_take_it(tower, make_dataset, capfd):
    make_dataset("toy", PAIRS)
    with (tower / "tower.yaml").open("a") as file:
        file.write("search:\n  width: [4, 8]\n")
    words = ["--dataset=toy", "--epochs=1", "--train_neg_sample_args={sample_num: 20}"]
    assert tune.main(["--model=tower:Tower_SL", *words, "--trials=2", "--jobs=2"]) == 0
    assert benchmark.main(["--model=tower:Tower_SL", *words, "--seeds=0", "--tune=1"]) == 0
    assert "tower:Tower_SL" in (tower / "saved" / "benchmark" / "table.md").read_text()
    checkpoint = next((tower / "saved" / "tuning").rglob("*.pth"))
    assert diagnose.main([str(checkpoint), "--rows=20", "--model=tower:Tower_SL"]) == 0


@pytest.mark.slow
def test_a_benchmark_runs_changed_code_again(tower, make_dataset):
    make_dataset("toy", PAIRS)

    def keys():
        made = plan.make(entries(["tower:Tower_SL", "MF_hinge:HingeLoss", "MF_SL"]), ["toy"], [0])
        return [run.key for run in made.runs]

    before = keys()
    assert keys() == before
    _change(tower, ("class Tower", "# Another version.\nclass Tower"))
    after = keys()
    assert [one == other for one, other in zip(after, before, strict=True)] == [False, True, True]
