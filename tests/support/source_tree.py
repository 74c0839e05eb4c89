"""The files of the package as ast sees them: names, folders, imports."""

import ast
import functools

from quick import ROOT

PACKAGE = ROOT / "recbole_dsl"


class Module:
    """One source file.

    Attributes:
        name: dotted, without the package's own name; "" for the face.
    """

    def __init__(self, path):
        parts = list(path.relative_to(PACKAGE).with_suffix("").parts)
        self.is_package = parts[-1] == "__init__"
        self.name = ".".join(parts[:-1] if self.is_package else parts)
        self.path = path
        self.tree = ast.parse(path.read_text(encoding="utf-8"))

    @property
    def folder(self):
        """The folder it stands in, directly under the package; "" for what stands loose."""
        return self.name.split(".")[0] if "." in self.name or self.is_package else ""

    @functools.cached_property
    def inside_functions(self):
        functions = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
        return {
            id(inner)
            for outer in ast.walk(self.tree)
            if isinstance(outer, functions)
            for inner in ast.walk(outer)
            if inner is not outer
        }

    @functools.cached_property
    def not_at_import(self):
        """Nodes that importing the file does not run: in functions, and what only checkers read."""
        for_types = {
            id(inner)
            for outer in ast.walk(self.tree)
            if isinstance(outer, ast.If) and ast.unparse(outer.test) == "TYPE_CHECKING"
            for inner in ast.walk(outer)
        }
        return self.inside_functions | for_types

    @functools.cached_property
    def imported(self):
        """(node, full dotted name of a module or of a name in one) of every import."""
        found = []
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                found += [(node, alias.name) for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"{self.path}:{node.lineno}: a relative import"
                found += [(node, f"{node.module}.{alias.name}") for alias in node.names]
        return found

    @functools.cached_property
    def own_imports(self):
        """(node, module of this package that is imported)."""
        found = []
        for node, name in self.imported:
            head, _, rest = name.partition(".")
            if head == "recbole_dsl":
                found.append((node, rest if rest in modules() else rest.rpartition(".")[0]))
        return found

    def where(self, node):
        return f"{self.path.relative_to(PACKAGE.parent)}:{node.lineno}"


@functools.cache
def modules():
    """Dotted name -> Module, for every file of the package."""
    found = [Module(path) for path in sorted(PACKAGE.rglob("*.py"))]
    return {module.name: module for module in found}
