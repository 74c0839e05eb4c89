"""A loss's worst case over the negatives of training rows, row by row. Imports torch only."""

import contextlib
import math
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import torch

from recbole_dsl.losses import RobustQuantities, RobustView, robust_quantities

# Cells of (b, M) at a time: about ten float64 arrays of 2 MiB, whatever the batch.
_CELLS = 1 << 18
# Inputs of a batch that are measured beside the loss's own.
_MORE_INPUTS = ("pos", "negatives", "item_similarity")
# What is summed up by item, over all rows in which it is a negative.
_MASSES = ("drawn", "prior", "worst_case")


class Measured(NamedTuple):
    """What :func:`measure` finds.

    Attributes:
        items: (N,) int64. Positive item of each row.
        values: name -> (N,) float64; see :func:`measure`.
        mass: name -> (I,) float64. What each item has as a negative of all rows together: under
            "drawn" how often it was drawn, under "prior" and "worst_case" its mass of P and of Q.
        negatives: M.
        identity_error: largest absolute difference between the two sides of the identity.
    """

    items: torch.Tensor
    values: dict[str, torch.Tensor]
    mass: dict[str, torch.Tensor]
    negatives: int
    identity_error: float


@torch.no_grad()
def measure(
    model: Any,
    columns: Mapping[str, torch.Tensor],
    *,
    rows: int,
    batch_size: int,
    seed: int,
) -> Measured:
    """Diagnose a model on its training rows, in batches with fresh negatives.

    The model is in evaluation mode, without the noise and dropout of training. Nothing of it is
    changed: mode, state of the loss, the generator of its negatives and torch's own are put back.

    Args:
        model: a :class:`recbole_dsl.models.trained_by_loss.TrainedByLoss` whose loss has
            ``robust_view``.
        columns: the training rows, E of them: those that the model's ``columns`` names.
        rows: how many of them at most, drawn at random.
        batch_size: positives of a batch; DSL's temperatures are relative to those of their batch.
        seed: of the rows, their order and their negatives.
    Returns:
        :class:`Measured`, on the CPU, of N = min(rows, E) rows. Its values, by row: those of
        :func:`row_values`.
    """
    items = columns[model.ITEM_ID]
    order = torch.randperm(len(items), generator=torch.Generator().manual_seed(seed))[:rows]
    n_items, device = model.n_items, model.device
    mass = {name: torch.zeros(n_items).double().to(device) for name in _MASSES}
    found, errors = [], []
    with _evaluating(model, seed):
        model.loss.measure(model.epoch_view(None))
        shared = model.shared_tables()
        for index in order.split(batch_size):
            batch = {name: columns[name][index].to(device) for name in model.columns}
            view, inputs = _view_and_inputs(model, batch, shared or model.batch_tables(batch))
            for some in torch.arange(len(index)).split(max(_CELLS // view.f.shape[1], 1)):
                chosen = slice(int(some[0]), int(some[-1]) + 1)
                case = robust_quantities(_rows_of(view, chosen))
                pos, negatives, similarity = (inputs[name][chosen] for name in _MORE_INPUTS)
                found.append(row_values(case, pos, similarity))
                errors.append(case.identity_error.abs().max())
                for name, weights in zip(_MASSES, (None, case.p, case.q), strict=True):
                    weights = None if weights is None else weights.flatten()
                    mass[name] += torch.bincount(negatives.flatten(), weights, minlength=n_items)
    return Measured(
        items=items[order],
        values={name: torch.cat([part[name] for part in found]).cpu() for name in found[0]},
        mass={name: sums.cpu() for name, sums in mass.items()},
        negatives=view.f.shape[1],
        identity_error=float(torch.stack(errors).max()),
    )


def row_values(
    case: RobustQuantities, pos: torch.Tensor, item_similarity: torch.Tensor
) -> dict[str, torch.Tensor]:
    """The numbers of a row, each (B,) float64, by name.

    Args:
        case: prior, worst case and payoffs of (B, M) negatives.
        pos: (B,) scores of the positives.
        item_similarity: (B, M) cosine of each negative and the row's positive item.
    Returns:
        dict: temperature; weight, of the row in the loss; prior_entropy, of P, in nats;
        prior_entropy_share, of log M (absent where M is 1); effective_negatives, exp of the
        entropy of Q; positive_score; prior_payoff, E_P[f]; payoff, E_Q[f]; kl, KL(Q || P) in nats;
        drawn_similarity, prior_similarity and similarity, the mean cosine of positive item and
        negatives where all count alike, under P and under Q.
    """
    s, m = item_similarity.double(), item_similarity.shape[1]
    values = {
        "temperature": case.tau,
        "weight": case.weight,
        "prior_entropy": case.prior_entropy,
        "prior_entropy_share": case.prior_entropy / math.log(m) if m > 1 else None,
        "effective_negatives": case.effective_negatives,
        "positive_score": pos.double(),
        "prior_payoff": case.prior_payoff,
        "payoff": case.payoff,
        "kl": case.kl,
        "drawn_similarity": s.mean(dim=1),
        "prior_similarity": (case.p * s).sum(dim=1),
        "similarity": (case.q * s).sum(dim=1),
    }
    return {name: value for name, value in values.items() if value is not None}


def _view_and_inputs(
    model: Any, batch: Mapping[str, torch.Tensor], tables: tuple[torch.Tensor, torch.Tensor]
) -> tuple[RobustView, dict[str, torch.Tensor]]:
    """The loss's view of a batch, and the inputs that it and :data:`_MORE_INPUTS` name."""
    names = tuple(dict.fromkeys((*model.loss.inputs, *_MORE_INPUTS)))
    inputs = model.batch_inputs(batch, tables, names).select()
    view = model.loss.robust_view(**{name: inputs[name] for name in model.loss.inputs})
    return view, inputs


def _rows_of(view: RobustView, rows: slice) -> RobustView:
    log_kappa = None if view.log_kappa is None else view.log_kappa[rows]
    weight = None if view.weight is None else view.weight[rows]
    return RobustView(view.f[rows], view.tau[rows], log_kappa, weight)


@contextlib.contextmanager
def _evaluating(model: Any, seed: int) -> Iterator[None]:
    """Evaluation mode and generators seeded with ``seed``; afterwards all is as it was."""
    training, generator = model.training, model.sampler.generator
    state = generator.get_state()
    buffers = {name: buffer.clone() for name, buffer in model.loss.named_buffers()}
    devices = [model.device] if torch.device(model.device).type == "cuda" else []
    with torch.random.fork_rng(devices):
        torch.manual_seed(seed)
        generator.manual_seed(seed)
        model.eval()
        try:
            yield
        finally:
            model.train(training)
            generator.set_state(state)
            for name, buffer in model.loss.named_buffers():
                buffer.copy_(buffers[name])
