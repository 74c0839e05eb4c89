"""What a wheel holds, and its commands where it is installed, outside any checkout."""

import json
import random
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pandas as pd
import pytest
from quick import ROOT


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    source.mkdir()
    for name in ("setup.py", "pyproject.toml", "README.md", "LICENSE", "recbole_dsl", "properties"):
        (source / name).symlink_to(ROOT / name)
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "-w"]
    subprocess.run([*command, str(folder), str(source)], check=True, capture_output=True)
    return next(folder.glob("recbole_dsl-*.whl"))


@pytest.mark.slow
def test_a_wheel_holds_every_module_and_every_property_file(wheel):
    inside = set(zipfile.ZipFile(wheel).namelist())
    for path in (ROOT / "properties").rglob("*.yaml"):
        assert f"recbole_dsl/properties/{path.relative_to(ROOT / 'properties')}" in inside
    package = ROOT / "recbole_dsl"
    for path in (*package.rglob("*.py"), *package.rglob("*.css"), *package.rglob("*.js")):
        assert str(path.relative_to(ROOT)) in inside
    assert "recbole_dsl/py.typed" in inside
    assert not any(name.startswith(("tests/", "examples/", "properties/")) for name in inside)


@pytest.mark.slow
def test_the_one_command_is_recbole_dsl(wheel):
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith("entry_points.txt"))
        text = archive.read(name).decode()
    assert text.split() == ["[console_scripts]", "recbole_dsl", "=", "recbole_dsl.__main__:main"]


@pytest.mark.slow
def test_an_installed_wheel_finds_its_property_files(wheel, tmp_path):
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
    code = (
        "from recbole_dsl.common.property_files import properties_dir, read_yaml; "
        "import recbole_dsl; "
        "print(properties_dir()); print(read_yaml(properties_dir() / 'loss' / 'DSL.yaml')['tau'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": str(tmp_path / "site")},
        cwd=tmp_path,
        check=True,
        capture_output=True,
        text=True,
    )
    place, tau = done.stdout.split()
    assert Path(place) == tmp_path / "site" / "recbole_dsl" / "properties" and float(tau) > 0


@pytest.fixture(scope="module")
def command(wheel, tmp_path_factory):
    """Runs the installed ``recbole_dsl`` in a folder outside the checkout: its output.

    Its virtual environment has the wheel, and all other packages from this one.
    """
    home = tmp_path_factory.mktemp("installed")
    venv.create(home / "env", symlinks=True)
    python = home / "env" / "bin" / "python"
    own = subprocess.run(
        [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
        check=True, capture_output=True, text=True,
    ).stdout.strip()  # fmt: skip
    libraries = [path for path in sys.path if Path(path).name in ("site-packages", "dist-packages")]
    libraries += [sysconfig.get_path("purelib"), sysconfig.get_path("platlib")]
    (Path(own) / "libraries.pth").write_text("\n".join(dict.fromkeys(libraries)) + "\n")
    install = ["-m", "pip", "--python", str(python), "install", "--no-deps", "--no-index"]
    subprocess.run([sys.executable, *install, str(wheel)], check=True, capture_output=True)
    work = home / "work"
    work.mkdir()

    def run(*words):
        done = subprocess.run(
            [python.parent / "recbole_dsl", *words],
            cwd=work,
            env={"HOME": str(home), "OMP_NUM_THREADS": "1"},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    run.folder, run.site = work, Path(own)
    return run


@pytest.mark.slow
def test_an_installed_command_lists_models_and_settings(command):
    listed = command("list")
    assert f"The files are in {command.site}/recbole_dsl/properties." in listed
    assert "  ir_benchmark      The protocol" in listed
    assert "properties/loss/SL.yaml" in command("settings", "MF_SL")


@pytest.mark.slow
def test_an_installed_command_goes_from_a_csv_file_to_recommendations(command):
    draw, folder = random.Random(1), command.folder
    rows = {(user, item) for user in range(60) for item in draw.sample(range(40), 9)}
    for part, chosen in (("train", 0), ("test", 1)):
        lines = [f"c{u:02d},s/{i}" for u, i in sorted(rows) if ((u + i) % 5 == 0) == bool(chosen)]
        (folder / f"{part}.csv").write_text("\n".join(["customer_id,sku", *lines]) + "\n")
    said = command("import", "--train=train.csv", "--test=test.csv", "--dataset=shop")
    assert "user = customer_id, item = sku (recognised by name)" in said
    preset = ["--config_files=preset:ir_benchmark", "--epochs=2", "--result_file=result.json"]
    command("run", "--model=MF_DSL", "--dataset=shop", *preset, "--state=WARNING")
    result = json.loads((folder / "result.json").read_text())
    assert len(result["epochs"]) == 2 and set(result["test"]) == {"recall@20", "ndcg@20"}
    assert result["settings"]["topk"] == {"value": [20], "from": "config file preset:ir_benchmark"}
    command("recommend", result["checkpoint"], "--k=3", "--output=recs.csv")
    found = pd.read_csv(folder / "recs.csv")
    assert found.columns.tolist() == ["user", "rank", "item", "score"] and len(found) == 60 * 3
    seen = {(f"c{user:02d}", f"s/{item}") for user, item in rows}
    assert not seen & set(zip(found["user"], found["item"], strict=True))
