"""Installed from a wheel, the property files are there and found."""

import subprocess
import sys
import zipfile
from pathlib import Path

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
    assert not any(name.startswith(("tests/", "properties/")) for name in inside)


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
