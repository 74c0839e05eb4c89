"""``init_from``: users and items start from a model trained before, or from vectors of anybody's.

Ids are matched as texts, so that the older model may know other users and items.
"""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch

from recbole_dsl.common import distributed
from recbole_dsl.common.errors import UsageError
from recbole_dsl.config.run_config import Config
from recbole_dsl.data.pipeline import SplitData
from recbole_dsl.experiments.run_summary import say_line
from recbole_dsl.experiments.serving_section import part_rows
from recbole_dsl.serving import section
from recbole_dsl.serving.export import IDS, VECTORS
from recbole_dsl.training import checkpoint

SETTING = "init_from"
KINDS = ("user", "item")


class Vectors(NamedTuple):
    """What is known of the users, or of the items.

    Attributes:
        ids: (N,), distinct texts. vectors: (N, D) float32.
    """

    ids: pd.Index
    vectors: torch.Tensor


class Start(NamedTuple):
    """What a run starts from.

    Attributes:
        path: as given. origin: what made it, for people.
        sizes: dimensions of the vectors of users, and of items; None where a backbone of
            somebody's own does not say.
        known: "user", "item" or both -> their vectors.
        learned: the learned weights of the same backbone by name, which are taken as they are;
            None: the vectors in ``known`` are taken, brought to the length of the random start.
        trained_on: each user's items in the older model's training, by their places in ``known``;
            None where that is not known.
    """

    path: str
    origin: str
    sizes: tuple[int | None, ...]
    known: dict[str, Vectors]
    learned: dict[str, torch.Tensor] | None = None
    trained_on: section.ItemLists | None = None


# Read --------------------------------------------------------------------------------------------


def read(config: Config) -> Start | None:
    """What the setting names, for a run that begins; None where it is empty, or of a model without
    it, and in all processes but the main one.

    Raises:
        UsageError: there is no such file or folder, or it holds no vectors of ``embedding_size``
            dimensions with ids.
    """
    ours = config.spec.is_pair and not config.spec.is_sequential
    if not (ours and config[SETTING] and distributed.world().main):
        return None
    path = Path(str(config[SETTING]))
    try:
        if not path.exists():
            raise UsageError(f"{path}: no such file or folder")
        start = _of_folder(path) if path.is_dir() else _of_checkpoint(path, config["backbone"])
    except UsageError as error:
        raise UsageError(f"{SETTING}: {error}") from error
    for size in start.sizes:
        _check_size(start.path, size, config["embedding_size"])
    return start


def _check_size(path: str, given: int | None, asked: int | None) -> None:
    """Raise UsageError where vectors have another number of dimensions; None: not known yet."""
    if None not in (given, asked) and given != asked:
        raise UsageError(
            f"{SETTING}: {path} has vectors of {given} dimensions, and embedding_size is {asked}: "
            f"set embedding_size to {given}"
        )


def _of_checkpoint(path: Path, backbone: str) -> Start:
    """The learned tables of the same backbone, the final vectors of another one."""
    content = section.read(path)
    state = checkpoint.read(path)
    vectors = (torch.from_numpy(table) for table in (content.user_vectors, content.item_vectors))
    ids = (pd.Index(texts) for texts in (content.user_ids, content.item_ids))
    known = {
        kind: Vectors(texts, table.float())
        for kind, texts, table in zip(KINDS, ids, vectors, strict=True)
    }
    epoch, meta = content.meta["epoch"], content.meta
    origin = f"{meta['model']} on {meta['dataset']}" + ("" if epoch is None else f", epoch {epoch}")
    of_train = content.seen.get("train")
    if state["config"].get("backbone") != backbone:
        return Start(str(path), origin, _sizes(known), known, trained_on=of_train)
    learned = {name: x for name, x in state["state_dict"].items() if name.startswith("backbone.")}
    size = state["config"].get("embedding_size")  # NGCF's final vectors are longer
    return Start(str(path), origin, (size,), known, learned, of_train)


def _sizes(known: Mapping[str, Vectors]) -> tuple[int | None, ...]:
    return tuple(vectors.vectors.shape[1] for vectors in known.values())


def _of_folder(path: Path) -> Start:
    known = {}
    for kind in KINDS:
        vectors, ids = path / VECTORS[kind], path / IDS[kind]
        if vectors.exists() or ids.exists():
            known[kind] = _of_files(vectors, ids)
    if not known:
        raise UsageError(
            f"{path} has neither {VECTORS['user']} and {IDS['user']} nor {VECTORS['item']} and "
            f"{IDS['item']}, as recbole_dsl export writes them"
        )
    return Start(str(path), "vectors", _sizes(known), known)


def _of_files(vectors: Path, ids: Path) -> Vectors:
    """(N, D) numbers in NumPy's format, and N ids, one a line."""
    try:
        table: npt.NDArray[Any] = np.load(vectors, allow_pickle=False)
        texts = pd.Index(ids.read_text("utf-8").removesuffix("\n").split("\n"))
    except OSError as error:
        raise UsageError(f"{error.filename}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{ids} is no text in UTF-8") from error
    except (ValueError, EOFError) as error:
        raise UsageError(f"{vectors} is no array that numpy.save has written") from error
    if not isinstance(table, np.ndarray) or table.ndim != 2 or table.dtype.kind not in "fiu":
        raise UsageError(f"{vectors} must hold numbers of shape (N, D)")
    if len(table) != len(texts):
        raise UsageError(f"{vectors} has {len(table):,} rows, and {ids} {len(texts):,} lines")
    if not texts.is_unique:
        raise UsageError(f"{ids} has {texts[texts.duplicated()][0]!r} twice")
    with np.errstate(over="ignore"):
        table = table.astype(np.float32)
    if not np.isfinite(table).all():
        raise UsageError(f"{vectors} has values that are not finite numbers in float32")
    return Vectors(texts, torch.from_numpy(table))


# Apply -------------------------------------------------------------------------------------------


def apply(start: Start, model: Any, data: SplitData) -> dict[str, Any]:
    """Start the embeddings of the users and items that are known; the others stay as they are.

    Args:
        model: a :class:`recbole_dsl.models.recommender.PairRecommender`, on any device.
        data: of the run. Rows of validation and test that the older model was trained on are
            counted in a warning.
    Returns:
        ``path``, ``of`` (what made it), ``users`` and ``items`` (how many were known).
    Raises:
        UsageError: none of the ids is known, or the weights do not fit.
    """
    train = data.train._dataset
    fields = dict(zip(KINDS, (train.uid_field, train.iid_field), strict=True))
    places = {
        kind: known.ids.get_indexer(train.field2id_token[fields[kind]][1:].astype(str))
        for kind, known in start.known.items()
    }
    counts = {kind: int((places[kind] >= 0).sum()) if kind in places else 0 for kind in KINDS}
    if not any(counts.values()):
        raise UsageError(
            f"{SETTING}: {start.path} knows no user and no item of {train.dataset_name}"
        )
    tables = {kind: getattr(model.backbone, f"{kind}_embedding").weight for kind in KINDS}
    if start.learned is None:
        for kind, known in start.known.items():
            _check_size(start.path, known.vectors.shape[1], tables[kind].shape[1])
            _start_table(tables[kind], places[kind], known.vectors, keep_length=True)
    else:
        _take_learned(start, model, tables, places)
    sizes = {kind: len(tables[kind]) - 1 for kind in KINDS}
    say_line(
        "start",
        f"{start.path} ({start.origin}): {counts['user']:,} of {sizes['user']:,} users, "
        f"{counts['item']:,} of {sizes['item']:,} items",
    )
    if before := _trained_before(start, data, places):
        logging.getLogger().warning(
            f"{SETTING}: {start.path} was trained on {' and '.join(before)}: their metrics are too "
            "good, and training may stop too early; hold out rows that it does not know, by time: "
            "eval_args: {split: {GT: [0.8, 0.1, 0.1]}}"
        )
    return {
        "path": start.path, "of": start.origin, "users": counts["user"], "items": counts["item"],
    }  # fmt: skip


@torch.no_grad()
def _start_table(
    table: torch.Tensor, places: npt.NDArray[np.int64], vectors: torch.Tensor, *, keep_length: bool
) -> None:
    """Put vectors into the rows of a table, which begin after the padding row 0, in place.

    Args:
        table: (1 + n, D). places: (n,), which of the vectors a row gets; -1: none.
        keep_length: whether vectors are multiplied by one number for all, so that their mean
            square length is that of the rows they take. Vectors of zeros are then left out.
    """
    rows = torch.from_numpy(np.flatnonzero(places >= 0))
    found = vectors[torch.from_numpy(places)[rows]].to(table)
    rows = rows.to(table.device) + 1
    if keep_length:
        some = found.any(dim=1)
        rows, found = rows[some], found[some]
        found *= (table[rows].square().sum() / found.square().sum()).sqrt()
    table[rows] = found


def _take_learned(
    start: Start,
    model: torch.nn.Module,
    tables: Mapping[str, torch.Tensor],
    places: Mapping[str, npt.NDArray[np.int64]],
) -> None:
    """Copy learned tables row by row, and the backbone's other weights, such as NGCF's layers."""
    weights = start.learned or {}
    kinds = {id(table): kind for kind, table in tables.items()}
    for name, own in model.named_parameters():
        if not name.startswith("backbone."):
            continue
        kind, given = kinds.get(id(own)), weights.get(name)
        rows = None if kind is None else len(start.known[kind].ids) + 1
        shape = tuple(own.shape) if rows is None else (rows, own.shape[1])
        if not isinstance(given, torch.Tensor) or tuple(given.shape) != shape:
            got = tuple(given.shape) if isinstance(given, torch.Tensor) else "none"
            raise UsageError(
                f"{SETTING}: {start.path}: the weights {name} are {got}, those of this model "
                f"{shape}: give the backbone the settings that it had there"
            )
        if kind is None:
            own.data.copy_(given)
        else:
            _start_table(own, places[kind], given[1:], keep_length=False)


def _trained_before(
    start: Start, data: SplitData, places: Mapping[str, npt.NDArray[np.int64]]
) -> list[str]:
    """For each part that is held out here, how many of its rows the older model was trained on."""
    if start.trained_on is None:
        return []
    starts, items = start.trained_on
    n_items = len(start.known["item"].ids)
    rows = np.repeat(np.arange(len(starts) - 1), np.diff(starts)) * n_items + items
    said = []
    for name, loader in data.loaders.items():
        if name == "train" or loader is None:
            continue
        user, item = part_rows(loader)
        user, item = places["user"][user], places["item"][item]
        known = np.isin(user * n_items + item, rows) & (user >= 0) & (item >= 0)
        if known.any():
            said.append(f"{int(known.sum()):,} of the {len(known):,} rows of {name}")
    return said
