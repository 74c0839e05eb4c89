"""What all processes collected in an evaluation, put together."""

import torch
from recbole.evaluator.collector import DataStruct

from recbole_dsl.common.distributed import from_all, gather_rows, world


def gather(struct: DataStruct) -> DataStruct:
    """What each process collected of its users, as if one process had collected all of it.

    Rows come in the order of the loader. What is not of single users is alike in all processes and
    stays. With several processes, struct is changed in place.
    """
    if world().size == 1:
        return struct
    mine = {
        key: value
        for key, value in struct._data_dict.items()
        if isinstance(value, torch.Tensor) and (key.startswith("rec.") or key == "data.label")
    }
    shapes: dict[str, tuple[torch.dtype, torch.Size]] = {}
    for found in from_all({key: (x.dtype, x.shape[1:]) for key, x in mine.items()}):
        shapes.update(found)
    for key, (dtype, shape) in sorted(shapes.items()):
        rows = mine.get(key)
        rows = torch.empty(0, *shape, dtype=dtype) if rows is None else rows
        struct.set(key, gather_rows(rows))
    return struct
