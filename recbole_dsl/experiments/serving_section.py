"""The section of a checkpoint from which the model is served without RecBole and its data."""

import contextlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from recbole_dsl._version import __version__
from recbole_dsl.config.run_config import Config
from recbole_dsl.data.loaders.next_rows import next_rows
from recbole_dsl.data.pipeline import SplitData
from recbole_dsl.serving import section

_ROWS = 1024  # sequences that are encoded at a time


def append(
    path: str, config: Config, model: torch.nn.Module, data: SplitData, epoch: int | None
) -> None:
    """Give a checkpoint its section; the main process calls this once, after training.

    Args:
        path: the checkpoint of the best epoch.
        model: with the weights of that epoch. A model that is ranked by inner products
            (``ranks_by_inner_product``) gives its vectors, a sequential one those of its users'
            sequences; of any other the section says that there are none.
        data: the loaders of the parts, whose rows are the items that users have seen. Rows that
            ``train_noise`` has added are among those of train, as in the run's own ranking.
        epoch: the best epoch.
    Raises:
        OSError: the checkpoint cannot be written.
    """
    meta = {
        "recbole_dsl": __version__,
        "model": config["model"],
        "dataset": config["dataset"],
        "epoch": epoch,
    }
    if config.spec.is_sequential:
        content = _of_sequences(model, data, meta)
    elif getattr(model, "ranks_by_inner_product", False):
        content = _of_tables(model, data, meta)
    else:
        section.append_none(path, meta, _why_none(config))
        return
    section.append(path, content)


def _of_tables(model: Any, data: SplitData, meta: dict[str, Any]) -> section.Section:
    train = data.train._dataset
    users, items = (train.field2id_token[field][1:] for field in (train.uid_field, train.iid_field))
    score = getattr(model, "test_score", "dot")
    size = len(users), len(items)
    seen = {
        part: section.item_lists(*part_rows(loader), *size) for part, loader in data.loaders.items()
    }
    return section.Section({**meta, "score": score}, users, items, *_vectors(model), seen)


def _of_sequences(model: Any, data: SplitData, meta: dict[str, Any]) -> section.Section:
    """Each user by the vector of all of the user's items, those of validation and test too: what
    comes next is what is asked for. Users without a row have no vector and are left out."""
    parts = [loader._dataset for loader in data.loaders.values() if loader is not None]
    train = parts[0]
    users = torch.unique(torch.cat([part.inter_feat[part.uid_field] for part in parts]))
    rows = next_rows(train.copy(train.inter_feat[:0]), parts, users)
    with evaluating(model):
        batches = torch.arange(len(users)).split(_ROWS)
        of_users = torch.cat([model.vectors(rows[index].to(model.device)) for index in batches])
        of_items = model.item_table().detach()[1:]  # inner products have the Parameter itself
    size, pairs = (len(users), train.item_num - 1), {}
    for name, loader in data.loaders.items():
        found = part_rows(loader)
        if name == "train":
            found = tuple(column.numpy() - 1 for column in model.history())
        pairs[name] = np.searchsorted(users.numpy(), found[0] + 1), found[1]
    return section.Section(
        {**meta, "score": model.test_score},
        train.field2id_token[train.uid_field][users.numpy()],
        train.field2id_token[train.iid_field][1:],
        of_users.cpu().numpy(),
        of_items.cpu().numpy(),
        {name: section.item_lists(*found, *size) for name, found in pairs.items()},
    )


def _why_none(config: Config) -> str:
    kind = "RecBole's own model" if config.spec.source == "recbole" else "the model class"
    return (
        f"{kind} {config['model']} gives no vectors of users and items whose inner products are "
        "its scores, so that it cannot be served without RecBole and its data; recbole_dsl.load "
        "gives the model itself. Every <Backbone>_<Loss> can be served, and a class of your own "
        "that has ranks_by_inner_product = True and embed()"
    )


@contextlib.contextmanager
def evaluating(model: torch.nn.Module) -> Iterator[None]:
    """Evaluation mode, without gradient; afterwards the mode is as it was."""
    training = model.training
    model.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        model.train(training)


def _vectors(model: Any) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """The vectors of all users and items as they score, without the padding ids 0."""
    with evaluating(model):
        users, items = (table.detach()[1:].cpu().numpy() for table in model.embed())
    return users, items


def part_rows(loader: Any) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """The users and items of a part, both (E,) and counted from 0; none of an empty one."""
    if loader is None:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    dataset = loader._dataset
    users, items = (
        np.asarray(dataset.inter_feat[field]) - 1
        for field in (dataset.uid_field, dataset.iid_field)
    )
    return users, items
