"""Vectors and ids of a trained model as plain files, with an index of the items if asked for."""

import hashlib
import json
import os
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from recbole_dsl.common.errors import UsageError
from recbole_dsl.common.file_sets import updated_folder
from recbole_dsl.serving import section
from recbole_dsl.serving.faiss_index import FaissIndex
from recbole_dsl.serving.hnsw_index import HnswIndex
from recbole_dsl.serving.item_index import CONSTRUCTION, LINKS, SEARCHED, ItemIndex

META_FILE = "meta.json"
# Of users and of items: vectors, (N, D), and ids, one a line.
VECTORS = {"user": "user_vectors.npy", "item": "item_vectors.npy"}
IDS = {"user": "user_ids.txt", "item": "item_ids.txt"}


class _Kind(NamedTuple):
    """A kind of index, and its file."""

    of: type[ItemIndex]
    file: str


INDEXES = {
    "hnswlib": _Kind(HnswIndex, "items.hnsw"),
    "faiss": _Kind(FaissIndex, "items.faiss"),
}


def export(
    path: str | os.PathLike[str],
    output: str | os.PathLike[str],
    *,
    index: str | None = None,
    ef: int = SEARCHED,
    k: int = 20,
) -> dict[str, Any]:
    """Write what a checkpoint holds for serving as files that any program reads.

    ``user_vectors.npy`` (U, D) and ``item_vectors.npy`` (I, D), whose inner products are the
    scores; ``user_ids.txt`` and ``item_ids.txt``, an id a line in the same order; ``meta.json``;
    with an index ``items.hnsw``, hnswlib's own file, in the space "ip", or ``items.faiss``, Faiss's
    own, an IndexHNSWFlat of inner products: labels are the rows of ``item_vectors.npy``.

    Args:
        path: the checkpoint. output: the folder; files of these names in it are replaced together.
        index: one of :data:`INDEXES`, or None for no index. ef: candidates that its searches keep.
        k: for the recall that is measured.
    Returns:
        What ``meta.json`` holds: ``model``, ``dataset``, ``epoch``, ``score`` ("cosine" or "dot"),
        ``normalised`` (whether the vectors have unit length), ``users``, ``items``,
        ``dimensions``, ``dtype``; and of an index ``kind``, its settings, ``digests`` and what was
        ``measured``, :class:`recbole_dsl.serving.item_index.Measured`.
    Raises:
        UsageError: no checkpoint that can be served, or the index's package is not installed.
            WriteError: the files cannot be written.
    """
    content = section.read(path)
    vectors, items = content.user_vectors, content.item_vectors
    meta: dict[str, Any] = {
        **content.meta,
        "normalised": content.meta["score"] == "cosine",
        "users": len(vectors),
        "items": len(items),
        "dimensions": items.shape[1],
        "dtype": str(items.dtype),
        "index": None,
    }
    ids = {IDS["user"]: content.user_ids, IDS["item"]: content.item_ids}
    for name, texts in ids.items():
        if any("\n" in text for text in texts):
            raise UsageError(f"{path}: an id has a line break in it, and {name} has an id a line")
    built = None if index is None else INDEXES[index].of.build(items, ef)
    others = [kind.file for name, kind in INDEXES.items() if name != index]
    with updated_folder(output, without=others) as made:
        for name, array in ((VECTORS["user"], vectors), (VECTORS["item"], items)):
            np.save(made / name, array, allow_pickle=False)
        for name, texts in ids.items():
            (made / name).write_text("".join(f"{text}\n" for text in texts), "utf-8", newline="\n")
        if index is not None and built is not None:
            path_of_index = made / INDEXES[index].file
            meta["index"] = {"kind": index, **_write_index(built, path_of_index, items)}
            meta["index"]["measured"] = built.measure(vectors, items, k)._asdict()
        text = json.dumps(meta, indent=2, allow_nan=False)
        (made / META_FILE).write_text(f"{text}\n", "utf-8")
    return meta


def _write_index(index: ItemIndex, path: Path, items: npt.NDArray[Any]) -> dict[str, Any]:
    """Write an index of items; returns its settings and digests."""
    index.save(path)
    return {
        "space": "ip",
        "M": LINKS,
        "ef_construction": CONSTRUCTION,
        "ef": index.ef,
        "digests": {"index": _digest(path), "item_vectors": _digest_of(items)},
    }


def load_index(folder: str | os.PathLike[str], items: npt.NDArray[Any]) -> ItemIndex:
    """The index that :func:`export` has written to a folder.

    Args:
        items: (I, D). The vectors of the model that is to be served: the index must be of them.
    Raises:
        UsageError: there is none, it is not what was written or of another model, or its package
            is not installed.
    """
    path = Path(folder)
    try:
        described = json.loads((path / META_FILE).read_text("utf-8"))["index"]
        if described is None:
            raise UsageError(f"{path} has no index: recbole_dsl export --index writes one")
        digests, ef, kind = described["digests"], described["ef"], INDEXES[described["kind"]]
        same = digests["index"] == _digest(path / kind.file)
        of_items = digests["item_vectors"] == _digest_of(items)
    except OSError as error:
        raise UsageError(f"{path} has no index: {error.filename}: {error.strerror}") from error
    except (ValueError, KeyError, TypeError) as error:
        if isinstance(error, UsageError):
            raise
        raise UsageError(f"{path / META_FILE} is not what was written") from error
    if not of_items:
        raise UsageError(f"{path} has the index of another checkpoint")
    if not same or not isinstance(ef, int):
        raise UsageError(f"{path / kind.file} is not what was written")
    return kind.of.load(path / kind.file, items.shape, ef)


def _digest(path: Path) -> str:
    total = hashlib.blake2b(digest_size=32)
    with open(path, "rb") as file:
        while block := file.read(1 << 24):
            total.update(block)
    return total.hexdigest()


def _digest_of(array: npt.NDArray[Any]) -> str:
    return hashlib.blake2b(np.ascontiguousarray(array).data, digest_size=32).hexdigest()
