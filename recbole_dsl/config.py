"""RecBole's Config with our layers, checks and device; the object every RecBole class reads.

A subclass, since RecBole's constructor reads ``sys.argv``, passes strings through ``eval``, accepts
unknown keys and overwrites CUDA_VISIBLE_DEVICES. What it derives from the settings is left to it.
"""

import contextlib
import copy
from pathlib import Path

from recbole.config import Config as HostConfig

from recbole_dsl import checks, compat, host_metrics, partition, settings, user_metrics
from recbole_dsl.device import choose_device
from recbole_dsl.diagnostics.settings import check_settings as check_diagnostics
from recbole_dsl.distributed import world
from recbole_dsl.groups import metrics as group_metrics
from recbole_dsl.groups import user_field
from recbole_dsl.groups.settings import check_settings as check_groups
from recbole_dsl.models.recommender import check_settings
from recbole_dsl.owners import HOST_PROPERTIES, owners_of_settings
from recbole_dsl.settings import Layers, UsageError, did_you_mean, match_type, read_yaml
from recbole_dsl.zoo import resolve_model

compat.apply()
host_metrics.register(group_metrics.__name__)


# Settings that RecBole reads and that no property file of its own lists.
_UNLISTED = {
    "dataset", "model", "encoding", "tail_ratio", "POS_ITEMS", "NEG_ITEMS", "cin", "contrast",
    "eta", "feature_num", "has_residual", "norm", "sim", "token_num_threshold", "use_filter",
}  # fmt: skip
_COMMAND_LINE = "command line"
SHARED = "command line, for all models"


class Config(HostConfig):
    """All settings of a run, from every layer, checked.

    Layers, later wins: RecBole's overall, ``properties/overall.yaml``, the model's own files
    (RecBole's, or backbone, loss and pair of ours), the dataset's, the user's files, config_dict,
    command line.

    Args:
        model: a name for :func:`recbole_dsl.zoo.resolve_model`; None: taken from the layers.
        dataset: dataset name; None: taken from the layers.
        config_file_list: paths of YAML files, later ones win.
        config_dict: settings as a dict.
        arguments: (key, text) pairs from the command line, read as YAML.
        shared: settings of the command line that several models are given at once: as config_dict,
            but those that belong to another model alone are ignored, with a warning.
    Raises:
        UsageError: an unknown name or setting, or a value outside its range.
    """

    def __init__(
        self,
        model=None,
        dataset=None,
        config_file_list=None,
        config_dict=None,
        arguments=(),
        shared=None,
    ):
        self._arguments, self._shared = list(arguments), dict(shared or {})
        self._internal, self._external = Layers(), Layers()
        self.warnings = []
        self.search = {}  # setting -> range, what the model's property files propose for tuning
        super().__init__(model, dataset, config_file_list, config_dict)
        user_metrics.check(self)

    # Reading the layers ------------------------------------------------------------------------

    def _build_yaml_loader(self):
        return settings.yaml_loader()

    def _init_parameters_category(self):
        super()._init_parameters_category()
        # RecBole appends to these lists, which are shared by every Config of the process.
        self.parameters = {name: list(keys) for name, keys in self.parameters.items()}

    def _load_config_files(self, file_list):
        for path in file_list or ():
            self._external.add(f"config file {path}", read_yaml(path))
        return {}

    def _load_variable_config_dict(self, config_dict):
        self._external.add("config dict", copy.deepcopy(config_dict or {}))
        return {}

    def _load_cmd_line(self):
        texts = {}
        for key, text in self._arguments:
            if texts.setdefault(key, text) != text:
                raise UsageError(f"--{key} is given twice: {texts[key]!r} and {text!r}")
        self._texts = texts
        values = {key: settings.parse_value(key, text) for key, text in texts.items()}
        self._external.add(SHARED, copy.deepcopy(self._shared))
        self._external.add(_COMMAND_LINE, values)
        return {}

    def _merge_external_config_dict(self):
        self.external_config_dict, _ = self._external.resolve()

    def _get_model_and_dataset(self, model, dataset):
        given = self.external_config_dict
        target = model if model is not None else self._texts.get("model", given.get("model"))
        name = dataset if dataset is not None else self._texts.get("dataset", given.get("dataset"))
        for key, value in (("model", target), ("dataset", name)):
            if value is None:
                raise UsageError(f"no {key} is given: --{key}=NAME, or {key}: NAME in a file")
        self.spec = resolve_model(target)
        return self.spec.name, self.spec.model_class, str(name)

    def _update_internal_config_dict(self, file):
        path = Path(file).resolve()
        values = read_yaml(path)
        self._internal.add(f"RecBole {path.relative_to(HOST_PROPERTIES)}", values)
        if path.name == "overall.yaml":
            self._add_own("overall.yaml")
        return values

    def _add_own(self, name):
        self._add_file(f"properties/{name}", settings.properties_dir() / name)

    def _add_file(self, label, path):
        if path.is_file():
            values = read_yaml(path)
            self.search.update(values.pop(settings.SEARCH, {}))  # no settings of a run
            self._internal.add(label, values)

    def _load_internal_config_dict(self, model, model_class, dataset):
        super()._load_internal_config_dict(model, model_class, dataset)
        if self.spec.backbone:
            pair = {"backbone": self.spec.backbone, "loss": self.spec.loss}
            self._internal.add("model name", pair)
            self._add_own("pair.yaml")
            self._add_own(f"backbone/{self.spec.backbone}.yaml")
            if self.spec.loss_yaml:
                self._add_file(str(self.spec.loss_yaml), self.spec.loss_yaml)
            else:
                self._add_own(f"loss/{self.spec.loss}.yaml")
        self._add_own(f"model/{model}.yaml")
        self._add_own(f"dataset/{dataset}.yaml")

    # Checking them -----------------------------------------------------------------------------

    def _get_final_config_dict(self):
        defaults, _ = self._internal.resolve()
        values, self.origins = self._external.resolve()
        known = set(defaults) | _UNLISTED | {k for keys in self.parameters.values() for k in keys}
        for key in list(values):
            if key not in known:
                self._reject(key, known, values)
            else:
                text = self._texts.get(key) if self.origins[key] == _COMMAND_LINE else None
                values[key] = match_type(key, values[key], defaults.get(key), text)
        self._internal.add("given", values)
        values, origins = self._internal.resolve()
        self.origins = {key: self.origins.get(key, origin) for key, origin in origins.items()}
        self._check_values(values)
        self.layered = copy.deepcopy(values)
        values["MODEL_TYPE"] = self.model_class.type
        return values

    def _reject(self, key, known, values):
        """An unknown setting, or one of another model: stop, or warn and drop it."""
        owners = owners_of_settings().get(key)
        origin = self.origins[key]
        if owners:
            shown = ", ".join(owners[:3]) + (", ..." if len(owners) > 3 else "")
            message = f"{key} is not a setting of {self.model}, but of {shown}"
            # One file may serve several models; a value on the command line is meant for this one.
            fatal = not origin.startswith("config file") and origin != SHARED
            if self.spec.source == "own":
                return  # what a user's own class reads is not known here
        else:
            message = f"unknown setting {key!r} ({origin}){did_you_mean(key, known)}"
            fatal = self.spec.source != "own"
            if not fatal:
                message += f" (passed on to {self.model})"
        strict = values.get("strict_config", True)
        if fatal and strict:
            raise UsageError(message + (" (strict_config: False ignores it)" if owners else ""))
        if owners or self.spec.source != "own":
            del values[key]
            message += "; ignored"
        self.warnings.append(message)

    def _check_values(self, values):
        values["topk"] = checks.topk(values["topk"])
        values["metrics"] = checks.metrics(values["metrics"])
        checks.valid_metric(values["valid_metric"], values["metrics"], values["topk"])
        given = self.origins["group_metrics"] != "properties/overall.yaml"
        self.warnings += check_groups(values, given=given)
        checks.learner(values["learner"])
        checks.eval_args(values["eval_args"])
        values["test_sets"] = partition.check_settings(values, self.model_class.type)
        checks.mask_at_test(values, self.model_class.type)
        checks.train_noise(values, self.spec, self.model_class.type)
        checks.share("benchmark_valid", values["benchmark_valid"])
        checks.mebibytes("eval_memory", values["eval_memory"])
        values["dataset_cache"] = checks.dataset_cache(values["dataset_cache"])
        checks.processes(values)
        check_diagnostics(values, self.model, self.spec.loss)
        if self.spec.backbone:
            for key in ("backbone", "loss"):
                if values[key] != getattr(self.spec, key):
                    raise UsageError(
                        f"{key} {values[key]!r} contradicts the model name {self.model}: "
                        "name the pair in --model=<Backbone>_<Loss>"
                    )
            checks.negatives(values["train_neg_sample_args"])
            try:
                check_settings({**values, "model": self.model})
            except KeyError as error:  # a loss of the user's own whose YAML lacks an option
                raise UsageError(f"{self.model}: {error.args[0]}") from error

    # What RecBole derives from them ---------------------------------------------------------------

    def _set_default_parameters(self):
        with _host_checks():
            super()._set_default_parameters()
        self._check_dataset()

    def _set_train_neg_sample_args(self):
        with _host_checks("train_neg_sample_args: "):
            super()._set_train_neg_sample_args()

    def _set_eval_neg_sample_args(self, phase):
        with _host_checks("eval_args: "):
            super()._set_eval_neg_sample_args(phase)

    def _check_dataset(self):
        folder = Path(self.final_config_dict["data_path"])
        parts = self.final_config_dict.get("benchmark_filename")
        several = isinstance(parts, list) and len(parts) > 1 and len(set(parts)) == len(parts)
        if parts and not several:
            raise UsageError(
                "benchmark_filename must name three parts, such as [train, valid, test], or two, "
                "[train, test], or more for several test sets, [train, valid, test_iid, "
                f"test_popularity], got {parts!r}"
            )
        names = [f"{self.dataset}.{part}.inter" for part in parts] if parts else []
        names = names or [f"{self.dataset}.inter"]
        if folder.is_dir():
            missing = [name for name in names if not (folder / name).is_file()]
            if missing:
                raise UsageError(f"dataset {self.dataset!r}: {folder} has no {', '.join(missing)}")
            if "user_field" in self.final_config_dict["group_metrics"]:
                user_field.check(self.final_config_dict, self.dataset)
            return
        downloads = read_yaml(HOST_PROPERTIES / "dataset" / "url.yaml")
        if self.dataset not in downloads:
            near = folder.parent.iterdir() if folder.parent.is_dir() else ()
            choices = ["ml-100k", *downloads, *(path.name for path in near if path.is_dir())]
            raise UsageError(
                f"unknown dataset {self.dataset!r}: there is no folder {folder}, and RecBole has "
                f"no download of that name{did_you_mean(self.dataset, choices)}"
            )

    def _init_device(self):
        final, place = self.final_config_dict, world()
        device, self.device_reason = choose_device(
            final["device"],
            final["use_gpu"],
            final["gpu_id"],
            nproc=max(final["nproc"], place.local_size),
            local_rank=place.local_rank,
        )
        # single_spec False would pad evaluation and average its metrics; shards.py takes its place.
        final.update(device=device, single_spec=True, local_rank=place.local_rank)
        final["world_size"] = place.size
        final["log_wandb"] = final["log_wandb"] and place.main
        final["use_gpu"] = device.type == "cuda"  # RecBole asks the GPU's memory where it is True

    def settings(self):
        """Every setting as plain data, ``{key: {"value": ..., "from": layer}}``."""
        return {
            key: {"value": _plain(value), "from": self.origins.get(key, "derived by RecBole")}
            for key, value in sorted(self.final_config_dict.items())
        }


@contextlib.contextmanager
def _host_checks(where=""):
    """RecBole's own checks of what was asked for, as usage errors."""
    try:
        yield
    except (ValueError, NotImplementedError, RuntimeError, TypeError) as error:
        raise UsageError(f"{where}{error}") from error


def _plain(value):
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    return value if isinstance(value, (str, int, float, bool, type(None))) else str(value)
