"""Scores, default options and extreme cases that the tests of several losses share."""

import inspect

import pytest
import torch

from recbole_dsl.common import property_files
from recbole_dsl.models.registry import LOSSES


def cosines(rows=5, negatives=7, dtype=torch.float64):
    """Scores in [-1, 1] of positives (B,) and of their negatives (B, M)."""
    scores = torch.rand(rows, negatives + 1, dtype=dtype) * 2 - 1
    return scores[:, 0].clone(), scores[:, 1:].clone()


def default_options(name):
    """The options of a loss, by name, as its property file gives them."""
    values = property_files.read_yaml(property_files.properties_dir() / "loss" / f"{name}.yaml")
    return {option: values[option] for option in inspect.signature(LOSSES[name]).parameters}


def at_extremes(test):
    """Runs a test for scores of ``sign`` and ``-sign`` in full and in half precision."""
    test = pytest.mark.parametrize("sign", [1.0, -1.0])(test)
    return pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])(test)
