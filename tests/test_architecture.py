"""The folders of the package and the rules of imports between them, read from the source by ast."""

import ast
import importlib.util
import subprocess
import sys
from collections import Counter

import pytest
from source_tree import PACKAGE, modules

# A folder imports only folders of lower layers; folders of one layer do not know each other.
LAYERS = [
    {"cli"},
    {"experiments"},
    {"training", "config", "serving"},
    {"models", "evaluation"},
    {"data"},
    {"losses", "backbones", "compat"},
    {"common"},
]
# The same inside a folder: folders and files by name, from the top layer down. What is not named
# stands on the layer "*".
LAYERS_OF_FOLDER = {
    "data": [{"pipeline"}, {"*"}, {"loaders"}, {"loading"}, {"importer", "splitting", "sampling"}],
    "evaluation": [
        {"diagnostics", "grouped_tests"},
        {"*"},
        {"group_metrics"},
        {"metrics"},
    ],
    "experiments": [{"benchmark"}, {"tuning"}, {"*"}],
}
AT_THE_TOP = {"__init__.py", "__main__.py", "_version.py", "py.typed", "quick_start.py"}
WITHOUT_RECBOLE = [
    "common",
    "losses",
    "backbones",
    "data.importer",
    "data.splitting",
    "data.sampling",
    "evaluation.metrics",
    "serving",
    "models.registry",
    "data.loaders.held_out",
    "evaluation.top_items",
]
# Packages that need not be installed; they are imported where they are used.
OPTIONAL = {"faiss", "hnswlib", "optuna", "pyarrow", "sqlalchemy", "wandb"}  # Optuna: sqlalchemy
# And those of the service.
OF_SERVICE = {
    "fastapi",
    "fastapi_offline",
    "pydantic",
    "pydantic_core",
    "starlette",
    "uvicorn",
}
MOST_LINES = {ast.FunctionDef: 60, ast.ClassDef: 200}


def _layer(name, layers):
    for number, layer in enumerate(reversed(layers)):
        if name in layer or ("*" in layer and not any(name in other for other in layers)):
            return number
    raise AssertionError(f"{name} stands on no layer")


def test_the_folders_are_those_drawn_and_nothing_lies_loose():
    entries = {path.name for path in PACKAGE.iterdir() if path.name != "__pycache__"}
    folders = set().union(*LAYERS)
    assert folders <= entries
    assert entries <= folders | AT_THE_TOP
    assert all((PACKAGE / folder / "__init__.py").is_file() for folder in folders)
    assert all(ast.get_docstring(module.tree) for module in modules().values())


def test_folders_import_only_lower_layers():
    wrong = [
        f"{module.where(node)}: {module.folder} imports {target}"
        for module in modules().values()
        if module.folder
        for node, target in module.own_imports
        if (folder := target.split(".")[0]) not in ("_version", module.folder)
        and (not folder or _layer(folder, LAYERS) >= _layer(module.folder, LAYERS))
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("folder", LAYERS_OF_FOLDER)
def test_what_stands_in_a_folder_imports_only_lower_layers(folder):
    layers = LAYERS_OF_FOLDER[folder]
    names = {name.split(".")[1] for name in modules() if name.startswith(f"{folder}.")}
    assert set().union(*layers) - {"*"} <= names
    wrong = []
    for module in modules().values():
        if not module.name.startswith(f"{folder}."):
            continue
        own = module.name.split(".")[1]
        for node, target in module.own_imports:
            if target.startswith(f"{folder}.") and (other := target.split(".")[1]) != own:
                mine, its = _layer(own, layers), _layer(other, layers)
                loose = "*" in layers[len(layers) - 1 - mine]  # files of one layer may
                if its > mine or (its == mine and not loose):
                    wrong.append(f"{module.where(node)}: {own} imports {target}")
    assert not wrong, "\n".join(wrong)


def test_no_file_imports_itself_by_way_of_others():
    arrows = {
        name: {target for _, target in module.own_imports if target != name}
        for name, module in modules().items()
    }
    while removable := [name for name, targets in arrows.items() if not targets & arrows.keys()]:
        for name in removable:
            del arrows[name]
    assert not arrows, f"circles among {sorted(arrows)}"


def _reached(start):
    """Modules that importing some modules imports, packages on the way included."""
    todo, found = list(start), set()
    while todo:
        name = todo.pop()
        if name in found or name not in modules():
            continue
        found.add(name)
        module = modules()[name]
        at_import = [t for n, t in module.own_imports if id(n) not in module.not_at_import]
        parents = [name.rsplit(".", number)[0] for number in range(1, name.count(".") + 1)]
        todo += [*at_import, *parents, ""]
    return found


@pytest.mark.parametrize("folder", WITHOUT_RECBOLE)
def test_folders_without_recbole(folder):
    files = [name for name in modules() if name == folder or name.startswith(f"{folder}.")]
    assert files
    wrong = [
        module.where(node)
        for module in (modules()[name] for name in _reached(files))
        for node, name in module.imported
        if name.split(".")[0] == "recbole" and id(node) not in module.not_at_import
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.slow
def test_importing_them_does_not_load_recbole():
    names = [n for f in WITHOUT_RECBOLE for n in modules() if n == f or n.startswith(f"{f}.")]
    if not all(importlib.util.find_spec(package) for package in OF_SERVICE):
        names = [name for name in names if not name.startswith("serving.service.")]
    lines = [
        "import sys",
        *(
            f"import recbole_dsl.{name}; assert 'recbole' not in sys.modules, {name!r}"
            for name in names
        ),
    ]
    subprocess.run([sys.executable, "-c", "\n".join(lines)], check=True, cwd=PACKAGE.parent)


def test_imports_stand_at_the_top():
    """But for packages that need not be installed, the face, compat, which imports what it mends,
    and the commands, whose --help answers without loading torch."""
    wrong = [
        f"{module.where(node)}: {name}"
        for module in modules().values()
        if module.name not in ("", "__main__") and module.folder not in ("compat", "cli")
        for node, name in module.imported
        if id(node) in module.inside_functions and name.split(".")[0] not in OPTIONAL
    ]
    assert not wrong, "\n".join(wrong)


def test_optuna_stays_in_its_folder():
    wrong = [
        module.where(node)
        for module in modules().values()
        if not module.name.startswith("experiments.tuning")
        for node, name in module.imported
        if name.split(".")[0] == "optuna"
    ]
    assert not wrong, "\n".join(wrong)


def test_the_packages_of_the_service_stay_in_its_folder():
    wrong = [
        f"{module.where(node)}: {name}"
        for module in modules().values()
        if not module.name.startswith("serving.service.")
        for node, name in module.imported
        if name.split(".")[0] in OF_SERVICE
    ]
    assert not wrong, "\n".join(wrong)


def test_only_the_commands_know_the_command_line_and_exit_codes():
    wrong = []
    for module in modules().values():
        if module.folder == "cli" or module.name == "__main__":
            continue
        handlers = [n.type for n in ast.walk(module.tree) if isinstance(n, ast.ExceptHandler)]
        caught = {id(node) for kind in filter(None, handlers) for node in ast.walk(kind)}
        for node in ast.walk(module.tree):
            text = ast.unparse(node) if isinstance(node, (ast.Attribute, ast.Name)) else ""
            exits = ("sys.argv", "sys.exit", "os._exit", "SystemExit", "exit", "quit")
            if text in exits and id(node) not in caught:
                wrong.append(f"{module.where(node)}: {text}")
    assert not wrong, "\n".join(wrong)


def _foreign_names(module):
    """Names that a file binds by importing from other libraries."""
    found = set()
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            names = [(alias.name, alias.asname or alias.name.split(".")[0]) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [(node.module, alias.asname or alias.name) for alias in node.names]
        else:
            continue
        found |= {bound for origin, bound in names if origin.split(".")[0] != "recbole_dsl"}
    return found


def _base(node):
    while isinstance(node, (ast.Attribute, ast.Subscript)):
        node = node.value
    return node.id if isinstance(node, ast.Name) else None


def test_only_compat_and_recbole_metrics_change_other_libraries():
    wrong = []
    for module in modules().values():
        if module.folder == "compat" or module.name == "evaluation.recbole_metrics":
            continue
        foreign = _foreign_names(module)
        for node in ast.walk(module.tree):
            targets = []
            if isinstance(node, ast.Assign):
                targets = node.targets
            elif isinstance(node, (ast.AugAssign, ast.AnnAssign)):
                targets = [node.target]
            elif isinstance(node, ast.Call) and ast.unparse(node.func) == "setattr":
                targets = [ast.Attribute(node.args[0], "set")]
            for target in targets:
                if isinstance(target, ast.Attribute) and _base(target) in foreign:
                    wrong.append(f"{module.where(node)}: {ast.unparse(node)}")
    assert not wrong, "\n".join(wrong)


def test_private_names_stay_in_their_folder():
    wrong = []
    for module in modules().values():
        folders = {}  # name bound to a module of another folder -> that folder
        for node, name in module.imported:
            head, _, rest = name.partition(".")
            folder = rest.split(".")[0]
            if head != "recbole_dsl" or folder in (module.folder, "_version"):
                continue
            last = name.rpartition(".")[2]
            if last.startswith("_") and not last.startswith("__"):
                wrong.append(f"{module.where(node)}: {name}")
            if rest in modules():
                folders[last] = folder
        for node in ast.walk(module.tree):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                private = node.attr.startswith("_") and not node.attr.startswith("__")
                if private and node.value.id in folders:
                    wrong.append(f"{module.where(node)}: {ast.unparse(node)}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("kind", MOST_LINES, ids=lambda kind: kind.__name__)
def test_functions_and_classes_are_short(kind):
    wrong = [
        f"{module.where(node)}: {node.name}, {node.end_lineno - node.lineno + 1} lines"
        for module in modules().values()
        for node in ast.walk(module.tree)
        if isinstance(node, kind) and node.end_lineno - node.lineno >= MOST_LINES[kind]
    ]
    assert not wrong, "\n".join(wrong)


def test_no_two_modules_that_tests_import_have_one_name(pytestconfig):
    files = [path for folder in pytestconfig.getini("pythonpath") for path in folder.glob("*.py")]
    counts = Counter(path.name for path in files)
    assert len(files) > 50 and [name for name, count in counts.items() if count > 1] == []
