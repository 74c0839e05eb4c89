"""A package that brings a backbone and a loss by entry points, installed by pip, by the command."""

import json
import os
import subprocess
import sys

import pytest
from own_parts import guide_files
from quick import ROOT

PROJECT = """\
[build-system]
requires = ["setuptools>=68"]
build-backend = "setuptools.build_meta"

[project]
name = "tower-plugin"
version = "0.3"

[project.entry-points."recbole_dsl.backbones"]
Tower = "tower_plugin.tower:Tower"
Broken = "tower_plugin.broken:Broken"

[project.entry-points."recbole_dsl.losses"]
Hinge = "tower_plugin.hinge:HingeLoss"

[tool.setuptools]
packages = ["tower_plugin"]

[tool.setuptools.package-data]
tower_plugin = ["*.yaml"]
"""
# A module that leaves a trace of having been imported, and fails.
BROKEN = "open('imported', 'w').close()\nraise RuntimeError('no such device')\n"
SETTINGS = ["--dataset=toy", "--train_neg_sample_args={sample_num: 20}", "--train_batch_size=32"]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Where pip has installed the package, as from a folder with its source."""
    source, target = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("site")
    (source / "pyproject.toml").write_text(PROJECT)
    package = source / "tower_plugin"
    package.mkdir()
    files = {**guide_files(), "__init__.py": "", "broken.py": BROKEN}
    for name, text in files.items():
        (package / name).write_text(text)
    command = [sys.executable, "-m", "pip", "install", "--no-deps", "--no-build-isolation"]
    subprocess.run(
        [*command, "--quiet", "--target", str(target), str(source)], check=True, capture_output=True
    )
    return target


@pytest.fixture
def command(site, own_folder, make_dataset):
    """Runs recbole_dsl where the package is installed, in a folder with a dataset."""
    make_dataset("toy", [(f"u{u}", f"i{i}") for u in range(8) for i in range(12) if (u + i) % 3])

    def run(*words, code=0, path=(site, ROOT), program=("-m", "recbole_dsl")):
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, path))}
        done = subprocess.run(
            [sys.executable, *program, *words], env=environment, capture_output=True, text=True
        )
        assert done.returncode == code, done.stderr
        return done.stdout if code == 0 else done.stderr

    return run


@pytest.mark.slow
def test_it_is_listed_with_its_origin_and_its_settings_are_shown(command, site, own_folder):
    text = command("list")
    assert "  Tower       an embedding and a layer for users, and for items\n" in text
    assert "tower-plugin 0.3 (tower_plugin.tower:Tower); Covington et al., RecSys 2016\n" in text
    assert f"{site / 'tower_plugin' / 'hinge.yaml'}\n" in text
    assert (
        "  Broken      the backbone Broken of tower-plugin 0.3 (tower_plugin.broken:Broken) cannot "
        "be imported: RuntimeError: no such device (broken.py, line 2)\n"
    ) in text
    (own_folder / "imported").unlink()
    text = command("settings", "Tower_Hinge", "--margin=0.5")
    assert f"backbone file {site / 'tower_plugin' / 'tower.yaml'}:\n  width" in text
    assert not (own_folder / "imported").exists()


@pytest.mark.slow
def test_what_cannot_be_imported_disturbs_nobody_else(command, own_folder):
    command("run", "--model=MF_Hinge", *SETTINGS, "--epochs=1", "--embedding_size=8")
    assert not (own_folder / "imported").exists()
    text = command("run", "--model=Broken_SL", *SETTINGS, code=2)
    assert text.startswith("error: the backbone Broken of tower-plugin 0.3 ")
    assert text.count("\n") == 1


LOAD = """
import sys
import recbole_dsl
from recbole_dsl.common.errors import UsageError

path = sys.argv[1]
try:
    recbole_dsl.load(path)
except UsageError as error:
    assert "which is in tower-plugin 0.3 (tower_plugin.tower:Tower)" in str(error), error
else:
    raise AssertionError("it was loaded")
assert not any(name.startswith("tower_plugin") for name in sys.modules)
loaded = recbole_dsl.load(path, model="Tower_Hinge")
print(loaded.config["model"], type(loaded.model.backbone).__name__, loaded.model.embed()[1].shape)
"""


@pytest.mark.slow
def test_a_model_of_it_is_trained_in_processes_loaded_and_served(command, own_folder):
    words = ["--model=Tower_Hinge", *SETTINGS, "--width=8", "--epochs=2"]
    command("run", *words, "--nproc=2", "--result_file=result.json")
    result = json.loads((own_folder / "result.json").read_text())
    assert (result["model"], result["world_size"]) == ("Tower_Hinge", 2)
    path = result["checkpoint"]
    assert command(path, program=("-c", LOAD)) == "Tower_Hinge Tower torch.Size([13, 8])\n"
    command("recommend", path, "--k=2", "--output=recs.csv", path=[ROOT])  # where it is not
    assert len((own_folder / "recs.csv").read_text().splitlines()) == 17


@pytest.mark.slow
def test_a_study_and_a_benchmark_of_it_run_in_processes(command, own_folder):
    (own_folder / "ranges.yaml").write_text("width: [4, 8]\n")
    words = ["--model=Tower_Hinge", *SETTINGS, "--epochs=1"]
    text = command("tune", *words, "--params_file=ranges.yaml", "--sampler=grid", "--jobs=2")
    assert "2 of 2 trials: 2 complete" in text
    text = command("benchmark", *words, "--seeds=0")
    assert "Tower_Hinge" in (own_folder / "saved" / "benchmark" / "table.md").read_text()
