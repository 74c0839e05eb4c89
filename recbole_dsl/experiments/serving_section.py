"""The section of a checkpoint from which the model is served without RecBole and its data."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from recbole_dsl._version import __version__
from recbole_dsl.config.run_config import Config
from recbole_dsl.data.pipeline import SplitData
from recbole_dsl.serving import section


def append(
    path: str, config: Config, model: torch.nn.Module, data: SplitData, epoch: int | None
) -> None:
    """Give a checkpoint its section; the main process calls this once, after training.

    Args:
        path: the checkpoint of the best epoch.
        model: with the weights of that epoch. A model that is ranked by inner products
            (``ranks_by_inner_product``) gives its vectors, of any other the section says that
            there are none.
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
    if not getattr(model, "ranks_by_inner_product", False):
        section.append_none(path, meta, _why_none(config))
        return
    train = data.train._dataset
    users, items = (train.field2id_token[field][1:] for field in (train.uid_field, train.iid_field))
    score = getattr(model, "test_score", "dot")
    seen = _seen(data.loaders, len(users), len(items))
    content = section.Section({**meta, "score": score}, users, items, *_vectors(model), seen)
    section.append(path, content)


def _why_none(config: Config) -> str:
    kind = "RecBole's own model" if config.spec.source == "recbole" else "the model class"
    return (
        f"{kind} {config['model']} gives no vectors of users and items whose inner products are "
        "its scores, so that it cannot be served without RecBole and its data; recbole_dsl.load "
        "gives the model itself. Every <Backbone>_<Loss> can be served, and a class of your own "
        "that has ranks_by_inner_product = True and embed()"
    )


@torch.no_grad()
def _vectors(model: Any) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """The vectors of all users and items as they score, without the padding ids 0."""
    training = model.training
    model.eval()
    try:
        tables = model.embed()
    finally:
        model.train(training)
    users, items = (table[1:].cpu().numpy() for table in tables)
    return users, items


def _seen(loaders: Mapping[str, Any], n_users: int, n_items: int) -> dict[str, section.ItemLists]:
    """Each user's items in each part; in none of an empty one."""
    found = {}
    for part, loader in loaders.items():
        users = items = np.zeros(0, np.int64)
        if loader is not None:
            dataset = loader._dataset
            users, items = (
                np.asarray(dataset.inter_feat[field]) - 1
                for field in (dataset.uid_field, dataset.iid_field)
            )
        found[part] = section.item_lists(users, items, n_users, n_items)
    return found
