"""All that a training needs to go on as if it had never stopped, as tensors and plain data.

It is taken between two epochs. One part is alike in all processes, so that the main one's is kept:
weights, optimizers, what a loss keeps, early stopping, the epochs' records. The other is each
process's own: the states of all random number generators.
"""

import random
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import torch
from recbole.data.dataloader.abstract_dataloader import AbstractDataLoader

from recbole_dsl.data.sampling.negative_sampler import NegativeSampler
from recbole_dsl.losses import RowLoss
from recbole_dsl.training.checkpoint import check_weights, decoded_others, others_of
from recbole_dsl.training.plain_data import decode, encode

# What a model keeps as plain attributes, such as the step of an annealing, is kept up to this size.
_MOST_NUMBERS = 1 << 20

_RECORDS = ("epochs_done", "best_epoch", "best_valid", "best_score")
_STOPPING = ("cur_step", "best_valid_score", "best_valid_result", "train_loss_dict")


def capture(trainer: Any) -> dict[str, Any]:
    """The part that is alike in all processes, of a BaseTrainer."""
    model = trainer.model
    return {
        "weights": model.state_dict(),
        "others": encode(others_of(model)),
        "buffers": _unsaved_buffers(model),
        "attributes": encode({name: _attributes(x) for name, x in model.named_modules()}),
        "losses": encode({name: x.training_state() for name, x in _losses(model)}),
        "optimizers": _optimizers(trainer),
        "stopping": encode({name: getattr(trainer, name) for name in _STOPPING}),
        "records": encode({name: getattr(trainer.recorder, name) for name in _RECORDS}),
    }


def restore(trainer: Any, state: Mapping[str, Any], name: str) -> None:
    """Put what :func:`capture` returned into a new trainer of the same settings.

    Args:
        name: what messages call the file that the state comes from.
    Raises:
        UsageError: the weights are not those of this model. KeyError, TypeError, ValueError,
            RuntimeError, AttributeError: something else is not what was captured.
    """
    model = trainer.model
    check_weights(model, state["weights"], name)
    others = decoded_others(model, state["others"], name)
    model.load_state_dict(state["weights"])
    model.load_other_parameter(others)
    buffers = _unsaved_buffers(model)
    with torch.no_grad():
        for key, value in state["buffers"].items():
            buffers[key].copy_(value)
    modules = dict(model.named_modules())
    for key, attributes in decode(state["attributes"]).items():
        _set_attributes(modules[key], attributes)
    losses = dict(_losses(model))
    for key, of_loss in decode(state["losses"]).items():
        losses[key].load_training_state(of_loss)
    with_state = dict(_with_state(trainer))
    for key, value in state["optimizers"].items():
        if isinstance(value, str):
            setattr(trainer, key, with_state[value])
        else:
            with_state[key].load_state_dict(value)
    for target, names, values in (
        (trainer, _STOPPING, decode(state["stopping"])),
        (trainer.recorder, _RECORDS, decode(state["records"])),
    ):
        for key in names:
            setattr(target, key, values[key])


def capture_generators(trainer: Any, loaders: Iterable[AbstractDataLoader | None]) -> Any:
    """The states of all random number generators of this process."""
    kind, numbers, position, has_normal, normal = np.random.get_state(legacy=True)
    device = trainer.device
    return {
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state(device) if device.type == "cuda" else None,
        "numpy": [kind, [int(n) for n in numbers], position, has_normal, normal],
        "python": random.getstate(),
        "model": {
            name: generator.get_state() for name, generator in _generators_of_model(trainer.model)
        },
        "loaders": [generator.get_state() for generator in _generators_of(loaders)],
    }


def restore_generators(
    trainer: Any, loaders: Iterable[AbstractDataLoader | None], state: Mapping[str, Any]
) -> None:
    """Set all generators to what :func:`capture_generators` returned.

    Raises:
        KeyError, TypeError, ValueError, RuntimeError: it is not what was captured.
    """
    of_model = dict(_generators_of_model(trainer.model))
    for name, value in state["model"].items():
        of_model[name].set_state(value.cpu())
    for generator, value in zip(_generators_of(loaders), state["loaders"], strict=True):
        generator.set_state(value.cpu())
    if state["cuda"] is not None:
        torch.cuda.set_rng_state(state["cuda"].cpu(), trainer.device)
    kind, numbers, position, has_normal, normal = state["numpy"]
    np.random.set_state((kind, np.array(numbers, dtype=np.uint32), position, has_normal, normal))
    version, words, second = state["python"]
    random.setstate((version, tuple(words), second))
    torch.set_rng_state(state["torch"].cpu())


def _unsaved_buffers(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    """Buffers of the losses that are in no checkpoint, such as exact quantiles, by name."""
    saved = model.state_dict()
    found = {
        f"{name}.{key}": buffer
        for name, loss in _losses(model)
        for key, buffer in loss.named_buffers()
    }
    return {name: buffer for name, buffer in found.items() if name not in saved}


def _losses(model: torch.nn.Module) -> Iterator[tuple[str, RowLoss]]:
    for name, module in model.named_modules():
        if isinstance(module, RowLoss):
            yield name, module


def _with_state(trainer: Any) -> Iterator[tuple[str, Any]]:
    """The trainer's optimizers and their schedules; some of RecBole's have several."""
    kinds = (torch.optim.Optimizer, torch.optim.lr_scheduler.LRScheduler)
    for name, value in vars(trainer).items():
        if isinstance(value, kinds):
            yield name, value


def _optimizers(trainer: Any) -> dict[str, dict[str, Any] | str]:
    """Attribute -> the state of its optimizer or schedule, or the attribute that has the same one:
    RecVAE's trainer has two, of which ``optimizer`` is now one, now the other."""
    found: dict[str, dict[str, Any] | str] = {}
    names: dict[int, str] = {}
    for name, value in reversed(list(_with_state(trainer))):
        found[name] = names[id(value)] if id(value) in names else value.state_dict()
        names.setdefault(id(value), name)
    return found


def _attributes(module: torch.nn.Module) -> dict[str, Any]:
    """Numbers, arrays and tensors that a module keeps as plain attributes."""
    return {name: value for name, value in vars(module).items() if _is_numbers(value)}


def _is_numbers(value: Any) -> bool:
    if isinstance(value, torch.Tensor):
        return value.layout is torch.strided and value.numel() <= _MOST_NUMBERS
    if isinstance(value, np.ndarray):
        return value.dtype.kind in "if" and value.size <= _MOST_NUMBERS
    return type(value) in (int, float)


def _set_attributes(module: torch.nn.Module, values: Mapping[str, Any]) -> None:
    for name, value in values.items():
        before = vars(module)[name]
        if isinstance(before, torch.Tensor) and before.shape == value.shape:
            with torch.no_grad():
                before.copy_(value)  # in place: others may hold the same tensor
        elif isinstance(before, np.ndarray) and before.shape == value.shape:
            before[...] = value
        elif before is None or _is_numbers(before):
            setattr(module, name, value)
        else:
            raise ValueError(f"{name} is no number")


def _generators_of_model(model: torch.nn.Module) -> Iterator[tuple[str, torch.Generator]]:
    for name, module in model.named_modules():
        if isinstance(module, NegativeSampler):
            yield f"{name}.generator", module.generator  # made where it is first asked for
        for key, value in vars(module).items():
            if isinstance(value, torch.Generator) and not isinstance(module, NegativeSampler):
                yield f"{name}.{key}", value


def _generators_of(loaders: Iterable[AbstractDataLoader | None]) -> list[torch.Generator]:
    """Those that shuffle rows; a loader of a knowledge graph has loaders inside."""
    found = []
    for loader in loaders:
        if loader is not None:
            inner = [x for x in vars(loader).values() if isinstance(x, AbstractDataLoader)]
            found += [loader.generator, *_generators_of(inner)]
    return found
