"""Everything that lets RecBole 1.2.1 run on today's NumPy, SciPy, pandas and torch, in one place.

Each mend says its symptom, where it was reported, which versions show it, and when it can go. They
work for RecBole's own models too: ``from recbole_dsl import compat; compat.apply()`` at the top of
a script is enough. What is mended elsewhere, because it is more than a shim:

- ``from ray import tune`` fails at import (ray <= 2.6.3 needs ``pkg_resources`` and ``np.bool8``,
  and has no wheel for Python >= 3.12): RecBole#2105, #1820. Only ``recbole.quick_start`` imports
  ray, and nothing here imports that; ``runner.py`` does its job.
- ``torch.load`` refuses RecBole's checkpoints since torch 2.6 (``weights_only=True``), as they
  pickle the Config: RecBole#2212, PR #2155. ``checkpoint.py`` writes tensors and plain data.
"""

import builtins
import importlib
import importlib.metadata
import os
import warnings

import numpy as np
import pandas as pd
import scipy.sparse
import torch

from recbole_dsl import host_metrics
from recbole_dsl.distributed import world
from recbole_dsl.loading import reading

_TESTED = ("1.2.1",)


def apply():
    """Apply every mend once; calling it again changes nothing.

    Raises:
        ImportError: RecBole is missing, or of a version these mends were not written for.
    """
    try:
        version = importlib.metadata.version("recbole")
    except importlib.metadata.PackageNotFoundError:
        raise ImportError(
            "RecBole is not installed: pip install --no-deps recbole==1.2.1 (see README, Install)"
        ) from None
    if version not in _TESTED:
        raise ImportError(f"recbole_dsl works with recbole {', '.join(_TESTED)}, found {version}")
    for mend in (
        _numpy_aliases,
        _scipy_dok_update,
        _pandas_fillna,
        _pandas_agg,
        _missing_ids,
        _coverage_metrics,
        host_metrics.speed_up,
        _download_barrier,
        _folders_made_twice,
        _tensorboard_of_each_process,
        _harmless_warnings,
    ):
        mend()


def import_module(name):
    """Import a module of RecBole's without letting it switch autograd's anomaly mode on.

    Symptom: whatever a process trains after importing RecBole's sequential models checks each
    operation for NaN and keeps its stack trace, at a multiple of the time: ``sine.py`` turns the
    mode on, for good, as it is imported. RecBole 1.2.1, any torch. Until its line 25 is gone.
    """
    before = torch.is_anomaly_enabled()
    module = importlib.import_module(name)
    torch.autograd.set_detect_anomaly(before)
    return module


def _numpy_aliases():
    """Symptom: ``AttributeError: np.float_ was removed`` when a Config is built.

    Reported: RecBole#2185, PR #2084. Versions: NumPy >= 2.0. RecBole restores the pre-1.24 aliases
    (np.float, np.int, ...) from names that NumPy 2 dropped; restored here from names it has. Names
    that NumPy has are left alone. Can go once RecBole stops writing ``np.float`` and the like.
    """
    from recbole.config import Config

    def aliases(self=None):
        names = {
            "bool": np.bool_,
            "int": np.int_,
            "float": np.float64,
            "complex": np.complex128,
            "object": np.object_,
            "str": np.str_,
            "long": np.int_,
            "unicode": np.str_,
        }
        for name, kind in names.items():
            if name not in vars(np):
                setattr(np, name, kind)

    Config.compatibility_settings = aliases
    aliases()


def _scipy_dok_update():
    """Symptom: ``AttributeError: 'dok_matrix' object has no attribute '_update'`` in LightGCN,
    NGCF, NCL, GCMC, SpectralCF, KGIN, MCCLK.

    Reported: RecBole#2090, PR #2187. Versions: SciPy >= 1.13. The private method that set entries
    without checks is back under its old name. Can go once RecBole builds its graphs otherwise.
    """
    if not hasattr(scipy.sparse.dok_matrix, "_update"):
        scipy.sparse.dok_matrix._update = lambda self, data: self._dict.update(data)


class _PandasForDataset:
    """pandas as ``recbole.data.dataset.dataset`` sees it: with a faster read_csv and concat."""

    concat = staticmethod(reading.concat)

    def __getattr__(self, name):
        return getattr(pd, name)

    @staticmethod
    def read_csv(*args, **kwargs):
        frame = reading.read_csv(*args, **kwargs)
        # missing sequences are empty ones
        sequences = [column for column in frame if column.endswith("_seq")]
        frame[sequences] = frame[sequences].fillna("")
        return frame


def _pandas_fillna():
    """Symptom: missing ids and numbers stay NaN, silently; a missing sequence raises
    ``AttributeError: 'float' object has no attribute 'split'``.

    Reported: none seen upstream (found here). Versions: pandas >= 3.0, whose copy-on-write turns
    ``feat[field].fillna(inplace=True)`` into a no-op. Can go once RecBole assigns the result.
    """
    from recbole.data.dataset import dataset as module
    from recbole.utils import FeatureType

    if isinstance(module.pd, _PandasForDataset):
        return
    module.pd = _PandasForDataset()

    def fill_nan(self):
        for name in self.feat_name_list:
            feat = getattr(self, name)
            for field in feat:
                kind = self.field2type[field]
                if kind == FeatureType.TOKEN:
                    feat[field] = feat[field].fillna(0)
                elif kind == FeatureType.FLOAT:
                    feat[field] = feat[field].fillna(feat[field].mean())
                else:  # a row that a left join left without a sequence
                    empty = np.array([], np.int64 if kind == FeatureType.TOKEN_SEQ else np.float64)
                    feat[field] = [empty if isinstance(x, float) else x for x in feat[field]]

    module.Dataset._fill_nan = fill_nan


def _pandas_agg():
    """Symptom: ``feat[field].agg(len)`` gives one number instead of a length per row, so sequence
    features fail to remap or, in a table of one row, are silently wrong.

    Reported: none seen upstream (found here). Versions: pandas >= 3.0, where ``Series.agg`` hands
    the whole column to the function. ``len`` of a column, in these modules, is its rows' lengths.
    Can go once RecBole writes ``.map(len)``.
    """
    from recbole.data.dataset import dataset, kg_dataset, sequential_dataset

    def lengths(value):
        if isinstance(value, pd.Series) and value.dtype == object:
            return value.map(builtins.len)
        return builtins.len(value)

    if int(pd.__version__.split(".")[0]) >= 3:
        for module in (dataset, kg_dataset, sequential_dataset):
            module.len = lengths


def _missing_ids():
    """Symptom: where some rows lack a user and others an item, whole rows are removed and rows
    without an item stay, as the padding item 0; or ``IndexError`` while the dataset loads.

    Versions: RecBole 1.2.1 on any stack. It takes the labels of the rows to remove for positions,
    which they no longer are after the first removal. Can go once RecBole drops by label.
    """
    from recbole.data.dataset.dataset import Dataset

    def filter_nan_user_or_item(self):
        for field, name in ((self.uid_field, "user_feat"), (self.iid_field, "item_feat")):
            for feat_name in (name, "inter_feat"):
                feat = getattr(self, feat_name)
                if feat is None or field is None:
                    continue
                missing = feat[field].isnull()
                if missing.any():
                    lines = (feat.index[missing][:5] + 2).tolist()
                    self.logger.warning(
                        f"{feat_name}: {missing.sum():,} row(s) without {field} are removed; "
                        f"the first in line(s) {lines}"
                    )
                    setattr(self, feat_name, feat[~missing])

    Dataset._filter_nan_user_or_item = filter_nan_user_or_item


def _coverage_metrics():
    """Symptom: ``AttributeError: 'int' object has no attribute 'cpu'`` for ItemCoverage, GiniIndex,
    ShannonEntropy, AveragePopularity and TailPercentage.

    Versions: RecBole 1.2.1 on any stack. The collector moves every resource to the CPU, also those
    that are no tensors. Can go once RecBole checks for tensors.
    """
    from recbole.evaluator.collector import Collector

    def get_data_struct(self):
        collected = self.data_struct._data_dict
        result = type(self.data_struct)()
        for key, value in collected.items():
            result.set(key, value.cpu() if isinstance(value, torch.Tensor) else value)
        for key in [key for key in collected if not key.startswith("data.") or key == "data.label"]:
            del self.data_struct[key]
        return result

    Collector.get_data_struct = get_data_struct


def _folders_made_twice():
    """Symptom: ``FileExistsError: './log'`` in one of several runs that start in a new folder.

    RecBole looks whether a folder is there before it makes it. RecBole 1.2.1. Until its
    ``ensure_dir`` passes ``exist_ok``.
    """

    def ensure_dir(dir_path):
        os.makedirs(dir_path, exist_ok=True)

    for name in (
        "utils.utils", "utils", "utils.logger", "trainer.trainer", "data.utils",
        "data.dataset.dataset",
    ):  # fmt: skip
        import_module(f"recbole.{name}").ensure_dir = ensure_dir


def _download_barrier():
    """Symptom: ``ValueError: Default process group has not been initialized`` right after a dataset
    was downloaded; the second run works.

    Reported: RecBole#1989. Versions: RecBole 1.2.1 with any torch. The barrier is of no use here
    even where there is a group: ``runner.py`` lets one process of a machine load first, and the
    others find the files. Can go once RecBole guards it.
    """
    from recbole.data.dataset import dataset as module

    if getattr(module.Dataset._download, "guarded", False):
        return
    original = module.Dataset._download

    def download(self):
        barrier = torch.distributed.barrier
        torch.distributed.barrier = lambda: None
        try:
            original(self)
        finally:
            torch.distributed.barrier = barrier

    download.guarded = True
    module.Dataset._download = download


class _NoBoard:
    """A SummaryWriter that writes nothing."""

    def __getattr__(self, name):
        return lambda *args, **kwargs: None


def _tensorboard_of_each_process():
    """Symptom: a run of several processes leaves an events file of each of them.

    Versions: RecBole 1.2.1 with any TensorBoard. Can go once RecBole's Trainer asks for its rank.
    """
    from recbole.trainer import trainer as module

    if getattr(module.get_tensorboard, "of_main", False):
        return
    original = module.get_tensorboard

    def get_tensorboard(logger):
        return original(logger) if world().main else _NoBoard()

    get_tensorboard.of_main = True
    module.get_tensorboard = get_tensorboard


def _harmless_warnings():
    """Symptom: warnings in every run, about nothing the user can do.

    Versions: pandas >= 3.0 hands out read-only arrays, of which RecBole makes tensors by copying;
    pandas 2.2 warns of what ``_pandas_fillna`` and ``_pandas_agg`` mend for 3.0, and 3.0 itself of
    the no-op that is left; torch has renamed the gradient scaler and the sparse tensors that
    RecBole makes. Can go with those lines of RecBole's.
    """
    for message, category in (
        ("The given NumPy array is not writable", UserWarning),
        ("A value is (being|trying to be) set on a copy of a DataFrame", Warning),
        ("using .* in Series.agg cannot aggregate", FutureWarning),
        (r"torch\.sparse\.SparseTensor\(", UserWarning),
        (r"`torch\.cuda\.amp\.GradScaler\(args", FutureWarning),
    ):
        warnings.filterwarnings("ignore", message, category, module=r"recbole\.")
