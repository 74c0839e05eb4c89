"""The models that are compared: by label, each with settings of its own."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from recbole_dsl.common.errors import UsageError, did_you_mean
from recbole_dsl.common.property_files import SEARCH, read_yaml

# Keys of a section of the models file that are not settings of its run.
_MODEL, _FILES = "model", "config_files"
# Settings that all models share.
_SHARED = ("seed", "dataset", "result_file", "checkpoint_dir")


class Entry(NamedTuple):
    """A model with its settings, a row of the report's tables.

    Attributes:
        label: its name in the report. model: what ``--model`` of a run takes.
        settings: its own settings, over the property files. config_files: its own files, over
            those of all models.
        search: setting -> range to tune over, in place of those of the property files; empty: the
            model is not tuned. None: those of the property files.
    """

    label: str
    model: str
    settings: dict[str, Any]
    config_files: tuple[str, ...]
    search: dict[str, Any] | None = None


def entries(labels: Sequence[str] | None, models_file: str | None = None) -> list[Entry]:
    """The entries of some labels, in their order.

    Args:
        labels: labels of the file or names of models; None: all labels of the file.
        models_file: path of a YAML file, a section for each label: ``model`` where the label is
            not the model's name, ``config_files``, ``search`` and any settings::

                LightGCN_SL:
                  tau: 0.15
                DSL shielding:           # a label of your own
                  model: LightGCN_DSL
                  config_files: [tuned/LightGCN_DSL.yaml]
                  beta: -3
                BPR:
                  search: {learning_rate: 1e-4..1e-2 log}
    Raises:
        UsageError: the file is wrong, or has no label and no model is named.
    """
    sections = {} if models_file is None else read_yaml(models_file)
    if models_file is not None and not sections:
        raise UsageError(f"{models_file} names no model")
    return [_entry(label, sections, models_file) for label in (labels or list(sections))]


def _entry(label: str, sections: dict[str, Any], path: str | None) -> Entry:
    section = sections.get(label)
    if section is not None and not isinstance(section, dict):
        raise UsageError(f"{path}: {label} must hold lines of `key: value`, got {section!r}")
    given = dict(section or {})
    model, files = str(given.pop(_MODEL, label)), given.pop(_FILES, None) or []
    if isinstance(files, str):
        files = files.split()
    if not isinstance(files, list) or not all(isinstance(file, str) for file in files):
        raise UsageError(f"{path}: config_files of {label} must be a list of paths, got {files!r}")
    search = given.pop(SEARCH, None)
    if search is not None and not isinstance(search, dict):
        raise UsageError(
            f"{path}: search of {label} must hold lines of `setting: range`, got {search!r}"
        )
    for key in _SHARED:
        if key in given:
            raise UsageError(f"{path}: {label}: {key} is for all models and not of one")
    return Entry(str(label), model, given, tuple(files), search)


def choose_reference(labels: Sequence[str], wanted: str | None) -> str:
    """The label that the others are compared with: the one wanted, else the first.

    Raises:
        UsageError: the one wanted is not among the labels.
    """
    if wanted is not None and wanted not in labels:
        raise UsageError(
            f"--reference={wanted} is not among the models {', '.join(labels)}"
            f"{did_you_mean(wanted, labels)}"
        )
    return labels[0] if wanted is None else wanted
