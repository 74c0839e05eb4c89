"""What a run says on the terminal before it trains: data, split, model, training, device, log."""

import logging
import os
from typing import Any

from recbole_dsl.common.terminal import say
from recbole_dsl.config.run_config import GIVEN, Config
from recbole_dsl.data.pipeline import SplitData
from recbole_dsl.experiments.result import count_parameters

# How the names of the layers begin that are no defaults.
_GIVEN = ("dataset file ", *GIVEN)


def say_start(config: Config) -> None:
    """The first lines: what runs, where, and where the whole log is."""
    say(f"{config['model']} on {config['dataset']}, seed {config['seed']}")
    say_line("device", f"{config['device']} ({config.device_reason})")
    for handler in logging.getLogger().handlers:
        if isinstance(handler, logging.FileHandler):
            hint = "" if config["verbose"] else " (all else; verbose: True shows it here)"
            say_line("log", f"{os.path.relpath(handler.baseFilename)}{hint}")
            break


def log_given(config: Config) -> None:
    """A line in the log for each layer of settings that are not defaults."""
    by_layer: dict[str, list[str]] = {}
    for key, value in config.layered.items():
        if config.origins[key].startswith(_GIVEN):
            by_layer.setdefault(config.origins[key], []).append(f"{key} = {value!r}")
    for layer, settings in by_layer.items():
        logging.getLogger().info(f"given ({layer}): {', '.join(settings)}")


def say_data(config: Config, dataset: Any) -> None:
    """Users, items and rows as they were loaded, and the dataset's own settings."""
    users, items, rows = dataset.user_num - 1, dataset.item_num - 1, len(dataset.inter_feat)
    density = f", {100 * rows / (users * items):.3g} % of all pairs" if users * items else ""
    say_line("data", f"{users:,} users, {items:,} items, {rows:,} rows{density}")
    if config.own_settings is not None and config.own_settings.values:
        path = config.own_settings.layer.removeprefix("dataset file ")
        say_line("settings", f"{', '.join(config.own_settings.values)} of {path}")


def say_split(data: SplitData) -> None:
    """How the rows were divided, and how many are in each part."""
    [(name, shares)] = data.card["split"].items()
    words = ", ".join(map(str, shares)) if isinstance(shares, list) else str(shares)
    how = f"files {words}" if name == "benchmark_filename" else f"{name} {words}"
    if name != "benchmark_filename" or len(shares) == 2:  # of two, validation is drawn from train
        how += f", seed {data.card['seed']}"
    sizes = ", ".join(f"{part} {size['rows']:,}" for part, size in data.summary.items())
    lost = sum(sum(reasons.values()) for reasons in data.card.get("left_out", {}).values())
    left = f"; {lost:,} left out, of users or items that train lacks" if lost else ""
    say_line("split", f"{how}: {sizes} rows{left}")


def say_model(config: Config, trainer: Any, data: SplitData) -> None:
    """How large the model is, and how it is trained.

    Args:
        trainer: of the model. data: with the loaders of train and valid.
    """
    spec, parameters = config.spec, count_parameters(config, trainer.model)
    if spec.is_pair:
        kind = f"backbone {spec.backbone}, loss {spec.loss}, {config['score']} scores"
    else:
        kind = f"RecBole's {spec.name}" if spec.source == "recbole" else spec.target
    say_line("model", f"{kind}; {parameters:,} parameters")
    if parameters == 0:
        return
    end = "no validation"
    if data.valid is not None and trainer.eval_step > 0:
        steps = trainer.stopping_step + 1
        end = f"until {config['valid_metric']} gains nothing in {steps} validations"
    say_line(
        "training",
        f"at most {trainer.epochs:,} epochs of {len(data.train):,} batches, {trainer.learner}, "
        f"learning rate {trainer.learning_rate:g}, {end}",
    )


def say_line(what: str, text: str) -> None:
    """A line with what it is about in front."""
    say(f"{what:<9} {text}")
