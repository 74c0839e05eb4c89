"""Options of the commands that train: which model, which dataset, which files of settings."""

from recbole_dsl.cli.parser import Arguments, Option, as_files
from recbole_dsl.common.property_files import PRESET

_DEFAULTS = {"model": "LightGCN_DSL", "dataset": "ml-100k"}

MODEL = Option(
    "model",
    "<Backbone>_<Loss> such as LightGCN_DSL, a model of RecBole such as LightGCN or EASE, "
    "or package.module:Class for a model of your own; in a <Backbone>_<Loss> either may be a "
    "package.module:Class, such as tower:Tower_SL or MF_hinge:HingeLoss (default: "
    f"{_DEFAULTS['model']}, unless --config_files of your own are given)",
    value="NAME",
    short="m",
)
DATASET = Option(
    "dataset",
    "a dataset in RecBole's atomic files, <data_path>/<name>/<name>.inter "
    f"(default: {_DEFAULTS['dataset']}, which RecBole brings, unless --config_files of your own "
    "are given)",
    value="NAME",
    short="d",
)
CONFIG_FILES = Option(
    "config_files",
    "YAML files of settings, separated by blanks; later ones win; preset:NAME is one that comes "
    "with the package (recbole_dsl list)",
    value='"A.yaml B.yaml"',
    aliases=("config_file_list",),
    read=as_files,
)
ANY_SETTING = Option(
    "KEY",
    "any setting of RecBole or of the model (recbole_dsl settings NAME lists them), also written "
    "--KEY VALUE; values are YAML",
    value="VALUE",
)
LAYERS = """
Later wins: RecBole's overall.yaml, properties/overall.yaml, the files of the model (pair, backbone,
loss), those of the dataset, <data_path>/<name>/<name>.yaml beside its data, --config_files, the
command line.
"""


def files_and_settings(given: Arguments) -> tuple[list[str], list[tuple[str, str]]]:
    """What a run is asked for: the files of settings, and (key, text) of the command line.

    Model and dataset have defaults unless a file of the user's is given, which may name them;
    presets name neither.
    """
    files = given.options.get("config_files", [])
    pairs = [(key, given.options[key]) for key in _DEFAULTS if key in given.options]
    if all(file.startswith(PRESET) for file in files):
        pairs += [(key, text) for key, text in _DEFAULTS.items() if key not in given.options]
    return files, pairs + given.settings
