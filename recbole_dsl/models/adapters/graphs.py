"""RecBole's general models as backbones: the vectors of all users and all items.

A model fits where its score is the inner product of the two. One that fits is a line of
:data:`FITTING`; its own ``calculate_loss`` is not called.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from recbole.model.general_recommender import dgcf

Tables = tuple[torch.Tensor, torch.Tensor]


def _forward(model: Any) -> Tables:
    user, item = model()
    return user, item


def _of_sgl(model: Any) -> Tables:
    user, item = model(model.train_graph)
    return user, item


def _of_ncl(model: Any) -> Tables:
    user, item, model.layers_of_step = model()
    return user, item


# What these models' own training adds to the loss:


def _contrast_of_sgl(model: Any, users: torch.Tensor, items: torch.Tensor) -> torch.Tensor:
    """A mean over the batch, as our losses are: RecBole adds up both over the rows."""
    first, second = model(model.sub_graph1), model(model.sub_graph2)
    total = model.calc_ssl_loss(users, items, first[0], second[0], first[1], second[1])
    return torch.as_tensor(total / len(users))


def _contrast_of_ncl(model: Any, users: torch.Tensor, items: torch.Tensor) -> torch.Tensor:
    """A sum over the batch, as in RecBole, which adds it to a mean."""
    layers = model.layers_of_step
    total = model.ssl_layer_loss(layers[2 * model.hyper_layers], layers[0], users, items)
    if model.epoch_of_training >= model.warm_up_step:
        total = total + model.ProtoNCE_loss(layers[0], users, items)
    return torch.as_tensor(total)


def _independence_of_dgcf(model: Any, users: torch.Tensor, items: torch.Tensor) -> torch.Tensor:
    if model.n_factors <= 1 or model.cor_weight <= 1e-9:  # RecBole's own condition
        return torch.zeros((), device=users.device)
    tables = model.tables_of_step
    drawn = dgcf.sample_cor_samples(model.n_users, model.n_items, model.cor_batch_size)
    chosen = (
        table[torch.as_tensor(ids, device=users.device)]
        for table, ids in zip(tables, drawn, strict=True)
    )
    return torch.as_tensor(model.cor_weight * model.create_cor_loss(*chosen))


def _of_dgcf(model: Any) -> Tables:
    user, item = model.tables_of_step = model()
    return user, item


def _cluster(model: Any, config: Any, epoch: int) -> None:
    """NCL's E-step, as RecBole's NCLTrainer takes it; at once for a run that goes on."""
    model.epoch_of_training, model.warm_up_step = epoch, config["warm_up_step"]
    if epoch % config["m_step"] == 0 or model.user_2cluster is None:
        model.e_step()


class Propagation(NamedTuple):
    """How a model gives its vectors.

    Attributes:
        tables: model -> (U, D) and (I, D).
        own_loss: (model, users (B,), items (B,)) -> a scalar that the model's own training adds to
            its loss, beside ``reg_weight``; None: nothing.
        begin_epoch: (model, config, epoch) -> what is done before an epoch; None: nothing.
    """

    tables: Callable[[Any], Tables] = _forward
    own_loss: Callable[[Any, torch.Tensor, torch.Tensor], torch.Tensor] | None = None
    begin_epoch: Callable[[Any, Any, int], None] | None = None


FITTING: dict[str, Propagation] = {
    "LightGCN": Propagation(),
    "NGCF": Propagation(),
    "SpectralCF": Propagation(),
    "SGL": Propagation(_of_sgl, _contrast_of_sgl),
    "NCL": Propagation(_of_ncl, _contrast_of_ncl, _cluster),
    "DGCF": Propagation(_of_dgcf, _independence_of_dgcf),
}

REFUSED: dict[str, str] = {
    "BPR": "it is matrix factorization: MF_<Loss> is that with any loss",
    "GCMC": "its scores are of two classes by a bilinear decoder, not inner products",
    "LINE": "its loss is of first- and second-order neighbours, not of a user's ranking",
    "SimpleX": "its vectors are of single users with a sample of their items: MF_CCL has its loss",
}
