"""RecBole's Config with our layers, checks and device; the object every RecBole class reads.

A subclass, since RecBole's constructor reads ``sys.argv``, passes strings through ``eval``, accepts
unknown keys and overwrites CUDA_VISIBLE_DEVICES. What it derives from the settings is left to it.
"""

import contextlib
import copy
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from recbole.config import Config as RecBoleConfig

from recbole_dsl.common import property_files
from recbole_dsl.common.device import choose_device
from recbole_dsl.common.distributed import world
from recbole_dsl.common.errors import UsageError
from recbole_dsl.config.checks import check_all
from recbole_dsl.config.dataset_files import (
    OwnSettings,
    check_dataset_files,
    check_own_settings,
    own_settings,
)
from recbole_dsl.config.host_checks import check_host_negatives, without_negatives
from recbole_dsl.config.known_settings import (
    REPLACED,
    UNLISTED,
    check_part_file,
    unknown_setting,
)
from recbole_dsl.config.layers import Layers
from recbole_dsl.config.prepare import prepare_recbole
from recbole_dsl.config.property_layers import PropertyLayers
from recbole_dsl.config.schema import Schema
from recbole_dsl.evaluation.settings import check_user_metrics
from recbole_dsl.models.adapters import fitting
from recbole_dsl.models.own_classes import options_by_setting
from recbole_dsl.models.plugins import OURS
from recbole_dsl.models.registry import class_of
from recbole_dsl.models.resolve import Model, resolve_model

_COMMAND_LINE = "command line"
SHARED = "command line, for all models"
DERIVED = "derived by RecBole"
GIVEN = ("config file", "config dict", _COMMAND_LINE)  # how the layers of the user begin


class Config(RecBoleConfig):
    """All settings of a run, from every layer, checked.

    Layers, later wins: RecBole's overall, ``properties/overall.yaml``, the model's own files
    (RecBole's, or backbone, loss and pair of ours), the dataset's (RecBole's, ours, and the
    ``<dataset>.yaml`` beside its data), the user's files, config_dict, command line.

    Args:
        model: a name for :func:`resolve.resolve_model`; None: taken from the layers.
        dataset: dataset name; None: taken from the layers.
        config_file_list: paths of YAML files, or ``preset:NAME``; later ones win.
        config_dict: settings as a dict.
        arguments: (key, text) pairs from the command line, read as YAML.
        shared: settings of the command line that several models are given at once: as config_dict,
            but those that belong to another model alone are ignored, with a warning.
        of_script: whether the arguments are those of a script, which may have flags of its own:
            what is no setting of the model is ignored, with a warning.

    Attributes:
        spec: the model that the name stands for.
        origins: setting -> label of the layer it comes from; not those that RecBole derives.
        layered: settings as the layers give them, before RecBole derives others from them.
        schema: what values each setting may have.
        warnings: sentences for the log.
        search: setting -> range, what the model's property files propose for tuning.
        property_paths: the property files that hold the model's defaults, lowest layer first.
        device_reason: why ``device`` is the one it is.
        own_settings: what the dataset's own file says; None where there is none.

    Raises:
        UsageError: an unknown name or setting, or a value outside its range.
    """

    parameters: dict[str, list[str]]  # RecBole's: kind of setting -> names
    spec: Model
    origins: dict[str, str]
    layered: dict[str, Any]
    schema: Schema
    warnings: list[str]
    search: dict[str, Any]
    property_paths: list[Path]
    device_reason: str
    own_settings: OwnSettings | None

    def __init__(
        self,
        model: str | None = None,
        dataset: str | None = None,
        config_file_list: Sequence[str] | None = None,
        config_dict: Mapping[str, Any] | None = None,
        arguments: Iterable[tuple[str, str]] = (),
        shared: Mapping[str, Any] | None = None,
        of_script: bool = False,
    ) -> None:
        prepare_recbole()
        self._arguments, self._shared = list(arguments), dict(shared or {})
        self._of_script, self.warnings = of_script, []
        self._defaults, self._given = PropertyLayers(), Layers()
        self.search, self.property_paths = self._defaults.search, self._defaults.paths
        super().__init__(model, dataset, config_file_list, config_dict)
        check_user_metrics(self)

    # Reading the layers: RecBole's constructor calls these in the order in which they stand -------

    def _init_parameters_category(self) -> None:
        super()._init_parameters_category()
        # RecBole appends to these lists, which are shared by every Config of the process.
        self.parameters = {name: list(keys) for name, keys in self.parameters.items()}

    def _build_yaml_loader(self) -> type:
        return property_files.yaml_loader()

    def _load_config_files(self, file_list: Sequence[str] | None) -> dict[str, Any]:
        for path in file_list or ():
            values = property_files.read_yaml(property_files.settings_file(path))
            self._given.add(f"config file {path}", values)
        return {}

    def _load_variable_config_dict(self, config_dict: Mapping[str, Any] | None) -> dict[str, Any]:
        self._given.add("config dict", copy.deepcopy(dict(config_dict or {})))
        return {}

    def _load_cmd_line(self) -> dict[str, Any]:
        texts: dict[str, str] = {}
        for key, text in self._arguments:
            if texts.setdefault(key, text) != text:
                raise UsageError(f"--{key} is given twice: {texts[key]!r} and {text!r}")
        self._texts = texts
        values = {key: property_files.parse_value(key, text) for key, text in texts.items()}
        self._given.add(SHARED, copy.deepcopy(self._shared))
        self._given.add(_COMMAND_LINE, values)
        return {}

    def _merge_external_config_dict(self) -> None:
        self.external_config_dict, _ = self._given.resolve()

    def _get_model_and_dataset(
        self, model: str | None, dataset: str | None
    ) -> tuple[str, type, str]:
        names: dict[str, Any] = {}
        for key, argument in (("model", model), ("dataset", dataset)):
            given = self._texts.get(key, self.external_config_dict.get(key))
            names[key] = argument if argument is not None else given
            if names[key] is None:
                raise UsageError(f"no {key} is given: --{key}=NAME, or {key}: NAME in a file")
        self.spec = resolve_model(names["model"])
        return self.spec.name, self.spec.model_class, str(names["dataset"])

    def _update_internal_config_dict(self, file: str) -> dict[str, Any]:
        return self._defaults.add_recboles(Path(file).resolve(), self.spec)

    def _load_internal_config_dict(self, model: str, model_class: type, dataset: str) -> None:
        super()._load_internal_config_dict(self.spec.recbole_name, model_class, dataset)
        self._defaults.add_ours(self.spec, dataset)
        given, defaults = self._given.resolve()[0], self._defaults.resolve()[0]
        self.own_settings = own_settings(given.get("data_path", defaults["data_path"]), dataset)
        if self.own_settings is not None:
            self._given.add_below(*self.own_settings)

    # Checking them -------------------------------------------------------------------------------

    def _get_final_config_dict(self) -> dict[str, Any]:
        (defaults, _), (given, origins) = self._defaults.resolve(), self._given.resolve()
        known = set(defaults) | UNLISTED | {k for keys in self.parameters.values() for k in keys}
        if self.own_settings is not None:
            of_data = self.parameters["Dataset"] + self.parameters["Evaluation"]
            check_own_settings(self.own_settings, of_data, known)
        _check_part_files(self.spec, self._defaults)
        self.schema = Schema(self.property_paths, defaults)
        kept = self._only_known(given, origins, known - REPLACED.keys())
        self._defaults.add("given", kept)
        values, layers = self._defaults.resolve()
        values |= without_negatives(values, self.spec, kept)
        self.origins = {key: origins.get(key, layer) for key, layer in layers.items()}
        self.warnings += check_all(
            values, self.spec, self.model_class.type, given={key: origins[key] for key in kept}
        )
        self.layered = copy.deepcopy(values)
        values["MODEL_TYPE"] = self.model_class.type
        return values

    def _only_known(
        self, given: Mapping[str, Any], origins: Mapping[str, str], known: set[str]
    ) -> dict[str, Any]:
        """The given settings that the model has, each in the normal form of its type."""
        kept = {}
        strict = self.schema.read("strict_config", given.get("strict_config", True))
        if not self.spec.is_pair:
            check_host_negatives(given.get("train_neg_sample_args"), self.spec.name)
        for key, value in given.items():
            layer = origins[key]
            if key in known:
                text = self._texts.get(key) if layer == _COMMAND_LINE else None
                kept[key] = self.schema.read(key, value, text)
                continue
            # One file may serve several models; a value on the command line is meant for this one.
            shared = layer.startswith("config file") or layer == SHARED
            refused = strict and not (self._of_script and layer == _COMMAND_LINE)
            found = unknown_setting(
                key, self.spec, known, layer=layer, shared=shared, strict=refused
            )
            if found.kept:
                kept[key] = value
            if found.warning:
                self.warnings.append(found.warning)
        return kept

    # What RecBole derives from them ---------------------------------------------------------------

    def _set_default_parameters(self) -> None:
        with _recboles_checks():
            super()._set_default_parameters()
        check_dataset_files(self.final_config_dict, self.dataset)

    def _init_device(self) -> None:
        final, place = self.final_config_dict, world()
        asked = final["device"], final["use_gpu"], final["gpu_id"]
        nproc = max(final["nproc"], place.local_size)
        device, self.device_reason = choose_device(*asked, nproc=nproc, local_rank=place.local_rank)
        # single_spec False would pad the evaluation of several processes and average its metrics;
        # data.loaders.sharding divides the users exactly.
        final.update(device=device, single_spec=True, local_rank=place.local_rank)
        final["world_size"] = place.size
        final["log_wandb"] = final["log_wandb"] and place.main
        final["use_gpu"] = device.type == "cuda"  # RecBole asks the GPU's memory where it is True

    def _set_train_neg_sample_args(self) -> None:
        with _recboles_checks("train_neg_sample_args: "):
            super()._set_train_neg_sample_args()

    def _set_eval_neg_sample_args(self, phase: str) -> None:
        with _recboles_checks("eval_args: "):
            super()._set_eval_neg_sample_args(phase)

    def settings(self) -> dict[str, dict[str, Any]]:
        """Every setting as plain data, ``{key: {"value": ..., "from": layer}}``."""
        return {
            key: {"value": plain_data(value), "from": self.origins.get(key, DERIVED)}
            for key, value in sorted(self.final_config_dict.items())
        }


def _check_part_files(spec: Model, defaults: PropertyLayers) -> None:
    """Refuse settings that nothing reads in the files of a user's own loss and backbone."""
    for part in spec.parts:
        if part.origin not in (OURS, fitting.ORIGIN) and part.properties is not None:
            of_others = defaults.names_without(f"{part.kind} file {part.properties}")
            options = options_by_setting(class_of(part))
            check_part_file(part.properties, options.keys(), of_others)


@contextlib.contextmanager
def _recboles_checks(where: str = "") -> Iterator[None]:
    """RecBole's own checks of settings, as usage errors."""
    try:
        yield
    except (ValueError, NotImplementedError, RuntimeError, TypeError) as error:
        raise UsageError(f"{where}{error}") from error


def given_settings(config: Config) -> dict[str, Any]:
    """What the user's files, dict and command line say, as plain data."""
    return {
        key: plain_data(config.layered[key])
        for key, layer in config.origins.items()
        if layer.startswith(GIVEN) and key in config.layered
    }


def plain_data(value: Any) -> Any:
    """A setting's value as maps, lists, words and numbers; anything else as its text."""
    if isinstance(value, dict):
        return {str(key): plain_data(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain_data(item) for item in value]
    return value if isinstance(value, (str, int, float, bool, type(None))) else str(value)
