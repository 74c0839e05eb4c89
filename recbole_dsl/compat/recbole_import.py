"""Importing RecBole's modules without their side effects."""

import importlib
from types import ModuleType

import torch


def import_module(name: str) -> ModuleType:
    """Import a module of RecBole's without letting it switch autograd's anomaly mode on.

    Symptom: after RecBole's sequential models are imported, all training of the process takes a
    multiple of the time, as autograd checks each operation for NaN and keeps its stack trace.

    Reported: none seen upstream (found here). Versions: RecBole 1.2.1 with any torch: line 25 of
    ``recbole/model/sequential_recommender/sine.py`` turns the mode on and leaves it on. Can go once
    RecBole deletes that line.
    """
    before = torch.is_anomaly_enabled()
    module = importlib.import_module(name)
    torch.autograd.set_detect_anomaly(before)
    return module
