"""The defaults of a model: RecBole's property files and ours, and the order in which they win."""

from pathlib import Path
from typing import Any

import recbole

from recbole_dsl.common.property_files import SEARCH, properties_dir, read_yaml
from recbole_dsl.config.layers import Layers
from recbole_dsl.losses import RowLoss
from recbole_dsl.models.adapters import fitting
from recbole_dsl.models.own_classes import signature_defaults
from recbole_dsl.models.plugins import OURS, Part
from recbole_dsl.models.registry import class_of
from recbole_dsl.models.resolve import Model
from recbole_dsl.models.settings import options_of

RECBOLE_PROPERTIES = Path(recbole.__file__).resolve().parent / "properties"


class PropertyLayers(Layers):
    """The property files of one model and one dataset as layers.

    Attributes:
        search: setting -> range, what the files propose for tuning; no settings of a run.
        paths: the files read, lowest layer first.
    """

    def __init__(self) -> None:
        super().__init__()
        self.search: dict[str, Any] = {}
        self.paths: list[Path] = []

    def add_recboles(self, path: Path, spec: Model | None = None) -> dict[str, Any]:
        """Put a property file of RecBole's on top, ours for every model right over its own.

        Returns:
            What RecBole's file holds; {} of a pair's own file, which :meth:`add_ours` puts higher.
        """
        if spec is not None and spec.is_pair and path.parent.name == "model":
            return {}
        values = read_yaml(path)
        self._add(f"RecBole {path.relative_to(RECBOLE_PROPERTIES)}", path, values)
        if path.name == "overall.yaml":
            self._add_ours("overall.yaml")
        return values

    def add_ours(self, spec: Model, dataset: str) -> None:
        """Put our files of a model and a dataset on top; a pair's are shared with other pairs."""
        if spec.is_pair:
            self.add("model name", {"backbone": spec.backbone, "loss": spec.loss})
            self._add_ours("sequence.yaml" if spec.is_sequential else "pair.yaml")
            for part in spec.parts:
                if part.origin == fitting.ORIGIN:
                    self._add_model_of_recboles(part, spec)
                else:
                    self._add_part(part)
        self._add_ours(f"model/{spec.name}.yaml")
        self._add_ours(f"dataset/{dataset}.yaml")

    def _add_model_of_recboles(self, part: Part, spec: Model) -> None:
        """The settings of a model of RecBole's in the place of a backbone."""
        path = fitting.property_file(part.name)
        values = fitting.settings(part.name, options_of(str(spec.loss)))
        self._add(f"RecBole {path.relative_to(RECBOLE_PROPERTIES)}", path, values)
        self._add_ours("recbole_model.yaml")

    def _add_part(self, part: Part) -> None:
        """The settings of a backbone or a loss; of one that is not ours, its signature's too."""
        if part.origin == OURS:
            self._add_ours(f"{part.kind}/{part.name}.yaml")
            return
        cls = class_of(part)
        values = signature_defaults(cls)
        if issubclass(cls, RowLoss):
            values = {"score": cls.scores[0], **values}
        self.add(f"{part.kind} {part.shown}, signature", values)
        if part.properties is not None:
            self._add_file(f"{part.kind} file {part.properties}", part.properties)

    def _add_ours(self, name: str) -> None:
        self._add_file(f"properties/{name}", properties_dir() / name)

    def _add_file(self, label: str, path: Path) -> None:
        if path.is_file():
            values = read_yaml(path)
            self.search.update(values.pop(SEARCH, {}))
            self._add(label, path, values)

    def _add(self, label: str, path: Path, values: dict[str, Any]) -> None:
        self.paths.append(path)
        self.add(label, values)
