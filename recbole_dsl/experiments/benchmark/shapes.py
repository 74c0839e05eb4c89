"""What stored records and plans must hold, so that a damaged or edited file is told in one line."""

from collections.abc import Mapping
from typing import Any

Shape = Any  # a type, a tuple of types, [shape of each], {name: shape}, {ANY: shape of each}
ANY, OPTIONAL = "*", "?"  # a name that ends in OPTIONAL may be missing
_NUMBER, _METRICS = (int, float), {ANY: (int, float)}

RECORD: Shape = {
    "key": str, "label": str, "dataset": str, "seed": int, "status": str, "folder": str,
    "wall_seconds": _NUMBER,
}  # fmt: skip
FAILED: Shape = {**RECORD, "error": str}
OK: Shape = {
    **RECORD,
    "test": (dict, type(None)),
    "tests?": {ANY: _METRICS},
    "valid": (dict, type(None)),
    "epochs": [{"epoch": int, "train_seconds": _NUMBER, "valid": (dict, type(None))}],
    "seconds": _NUMBER,
    "parameters": int,
    "versions": {ANY: str},
    "machine?": {"processor": str, "cores": int, "threads": int, "gpu": (str, type(None))},
    "user_metrics": (str, type(None)),
    "groups?": {ANY: {"metrics": {ANY: {ANY: {ANY: (int, float, type(None))}}}}},
}
PLAN: Shape = {
    "runs": [{"key": str, "label": str, "dataset": str, "seed": int}],
    "protocol": {
        ANY: {
            "eval_args": {"mode": {"test": object}}, "valid_metric": str, "split_seed": object,
            "test_sets": object,
        }
    },
    "budget": {ANY: dict},
    "notes": [str],
    "reference": str,
    "alternative": str,
    "columns?": [str],
    "tuning?": [{"label": str, "dataset": str, "budget": {"trials": int, "seconds": object},
                 "why_not": object, "sampler": str}],
}  # fmt: skip
OUTCOME: Shape = {
    "budget": dict, "trials": {ANY: int}, "seconds": _NUMBER, "best": dict,
}  # fmt: skip


def why_no_record(record: object) -> str:
    """What is wrong with a record of a run; empty where nothing is."""
    if reason := mismatch(record, RECORD):
        return reason
    assert isinstance(record, dict)
    status = record["status"]
    if status not in ("ok", "failed"):
        return f"status is {status!r}, not ok or failed"
    reason = mismatch(record, OK if status == "ok" else FAILED)
    for name in ("test", "valid") if status == "ok" and not reason else ():
        if record[name] is not None:
            reason = reason or mismatch(record[name], _METRICS, name)
    return reason


def mismatch(value: Any, shape: Shape, where: str = "") -> str:
    """The first place at which plain data has not a shape, in words; empty where there is none."""
    if isinstance(shape, (type, tuple)):
        kinds = shape if isinstance(shape, tuple) else (shape,)
        fits = isinstance(value, kinds) and (object in kinds or not isinstance(value, bool))
        return "" if fits else _said(value, where)
    if isinstance(shape, list):
        if not isinstance(value, list):
            return _said(value, where)
        parts = [(one, shape[0], f"{where}[{number}]") for number, one in enumerate(value)]
    else:
        if not isinstance(value, Mapping):
            return _said(value, where)
        parts = []
        for name in shape:
            known = value if name == ANY else [name.removesuffix(OPTIONAL)]
            for key in known:
                place = f"{where}.{key}" if where else key
                if key in value:
                    parts.append((value[key], shape[name], place))
                elif not name.endswith(OPTIONAL):
                    return f"{place} is missing"
    return next(filter(None, (mismatch(*part) for part in parts)), "")


def _said(value: object, where: str) -> str:
    text = repr(value)
    return f"{where or 'it'} is {text if len(text) <= 40 else text[:37] + '...'}"
