"""RecBole's sequential models as encoders: the vector of a sequence, and a table of item vectors.

A model fits where its score of an item is the inner product of the two. One that fits is a line of
:data:`FITTING`; its own ``calculate_loss`` is not called.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import torch

Batch = Mapping[str, torch.Tensor]


def _sequence_and_length(model: Any, batch: Batch) -> torch.Tensor:
    vectors: torch.Tensor = model(batch[model.ITEM_SEQ], batch[model.ITEM_SEQ_LEN])
    return vectors


def _sequence(model: Any, batch: Batch) -> torch.Tensor:
    vectors: torch.Tensor = model(batch[model.ITEM_SEQ])
    return vectors


def _user_and_sequence(model: Any, batch: Batch) -> torch.Tensor:
    vectors: torch.Tensor = model(batch[model.USER_ID], batch[model.ITEM_SEQ])
    return vectors


def _sequence_and_user(model: Any, batch: Batch) -> torch.Tensor:
    vectors: torch.Tensor = model(batch[model.ITEM_SEQ], batch[model.USER_ID])
    return vectors


def _of_hrm(model: Any, batch: Batch) -> torch.Tensor:
    lengths = batch[model.ITEM_SEQ_LEN].clone()  # which HRM shortens in place
    vectors: torch.Tensor = model(batch[model.ITEM_SEQ], batch[model.USER_ID], lengths)
    return vectors


def _of_fossil(model: Any, batch: Batch) -> torch.Tensor:
    columns = (batch[name] for name in (model.ITEM_SEQ, model.ITEM_SEQ_LEN, model.USER_ID))
    vectors: torch.Tensor = model(*columns)
    return vectors


def _of_fpmc(model: Any, batch: Batch) -> torch.Tensor:
    """The user's vector and the last item's side by side: FPMC adds up two inner products."""
    last = batch[model.ITEM_SEQ].gather(1, batch[model.ITEM_SEQ_LEN].unsqueeze(1) - 1).squeeze(1)
    return torch.cat([model.UI_emb(batch[model.USER_ID]), model.LI_emb(last)], dim=1)


def _item_embedding(model: Any) -> torch.Tensor:
    table: torch.Tensor = model.item_embedding.weight
    return table


def _items_of_hgn(model: Any) -> torch.Tensor:
    table: torch.Tensor = model.item_embedding_for_prediction.weight
    return table


def _items_of_npe(model: Any) -> torch.Tensor:
    table: torch.Tensor = model.relu(model.item_embedding.weight)
    return table


def _items_of_fpmc(model: Any) -> torch.Tensor:
    return torch.cat([model.IU_emb.weight, model.IL_emb.weight], dim=1)


# What these models' own calculate_loss adds to the loss by reg_weight:


def _penalty_of_caser(model: Any, batch: Batch, vectors: torch.Tensor) -> torch.Tensor:
    layers = (
        model.user_embedding, model.item_embedding, model.conv_v, model.fc1, model.fc2
    )  # fmt: skip
    penalty = model.reg_weight * model.reg_loss([layer.weight for layer in layers])
    return torch.as_tensor(penalty + model.reg_loss_conv_h())


def _penalty_of_nextitnet(model: Any, batch: Batch, vectors: torch.Tensor) -> torch.Tensor:
    penalty = model.reg_loss([model.item_embedding.weight, model.final_layer.weight])
    return torch.as_tensor(model.reg_weight * penalty + model.reg_loss_rb())


def _penalty_of_gcsan(model: Any, batch: Batch, vectors: torch.Tensor) -> torch.Tensor:
    return torch.as_tensor(model.reg_weight * model.reg_loss(model.item_embedding.weight))


def _penalty_of_hgn(model: Any, batch: Batch, vectors: torch.Tensor) -> torch.Tensor:
    user = model.user_embedding(batch[model.USER_ID])
    target = model.item_embedding_for_prediction(batch[model.ITEM_ID])
    sequence = model.item_embedding(batch[model.ITEM_SEQ])
    return torch.as_tensor(model.reg_loss(user, target, sequence))


def _penalty_of_fossil(model: Any, batch: Batch, vectors: torch.Tensor) -> torch.Tensor:
    user, target = model.user_lambda(batch[model.USER_ID]), batch[model.ITEM_ID]
    return torch.as_tensor(model.reg_loss(user, model.item_embedding(target), vectors))


class Encoding(NamedTuple):
    """How a model encodes sequences.

    Attributes:
        vectors: (model, batch) -> (B, D), of the batch's sequences.
        items: model -> (I, D), of all items.
        penalty: (model, batch, vectors) -> a scalar that the model's own training adds to its loss;
            None: nothing.
        reads_users: whether the model has a vector for each user.
        loss_type: a value that RecBole's constructor takes; what it builds by it is not used.
    """

    vectors: Callable[[Any, Batch], torch.Tensor] = _sequence_and_length
    items: Callable[[Any], torch.Tensor] = _item_embedding
    penalty: Callable[[Any, Batch, torch.Tensor], torch.Tensor] | None = None
    reads_users: bool = False
    loss_type: str = "CE"


FITTING: dict[str, Encoding] = {
    "SASRec": Encoding(),
    "GRU4Rec": Encoding(),
    "NARM": Encoding(),
    "STAMP": Encoding(),
    "SRGNN": Encoding(),
    "GCSAN": Encoding(penalty=_penalty_of_gcsan),
    "LightSANs": Encoding(),
    "SINE": Encoding(),
    "Caser": Encoding(_user_and_sequence, penalty=_penalty_of_caser, reads_users=True),
    "NextItNet": Encoding(_sequence, penalty=_penalty_of_nextitnet),
    "FPMC": Encoding(_of_fpmc, _items_of_fpmc, reads_users=True, loss_type="BPR"),
    "HGN": Encoding(_sequence_and_user, _items_of_hgn, _penalty_of_hgn, reads_users=True),
    "HRM": Encoding(_of_hrm, reads_users=True),
    "NPE": Encoding(_sequence_and_user, _items_of_npe, reads_users=True),
    "FOSSIL": Encoding(_of_fossil, penalty=_penalty_of_fossil, reads_users=True),
    "GRU4RecF": Encoding(),
    "SASRecF": Encoding(),
    "FDSA": Encoding(),
}

_MASKING = "it learns to fill in masked items, not to rank the next one"
_PROBABILITIES = "its scores are probabilities, not inner products of vectors"
_PRETRAINED = "it needs item vectors that were trained before"
REFUSED: dict[str, str] = {
    "BERT4Rec": _MASKING,
    "S3Rec": _MASKING,
    "CORE": "its sequence vectors and its loss share one normalised and dropped-out item table",
    "DIN": "it scores a pair by a network, not by an inner product",
    "DIEN": "it scores a pair by a network, not by an inner product",
    "FEARec": "its contrast needs batches with other sequences of the same next item",
    "GRU4RecCPR": _PROBABILITIES,
    "SASRecCPR": _PROBABILITIES,
    "RepeatNet": _PROBABILITIES,
    "GRU4RecKG": _PRETRAINED,
    "KSR": _PRETRAINED,
    "SHAN": "RecBole trains it on reversed sequences and ranks by unreversed ones",
    "TransRec": "its scores are distances with a bias, not inner products",
}
