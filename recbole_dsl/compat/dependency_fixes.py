"""Changes for NumPy, SciPy, pandas and torch newer than those RecBole 1.2.1 was written for."""

import builtins
import warnings
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse

from recbole_dsl.compat import atomic_reader
from recbole_dsl.compat.data_notes import note_missing


def numpy_aliases() -> None:
    """Symptom: ``AttributeError: np.float_ was removed`` when a Config is built.

    Reported: RecBole#2185, PR #2084. Versions: NumPy >= 2.0. RecBole restores the pre-1.24 aliases
    (np.float, np.int, ...) from names that NumPy 2 dropped; restored here from names it has. Names
    that NumPy has are left alone. Can go once RecBole stops writing ``np.float`` and the like.
    """
    from recbole.config import Config

    def aliases(self: Any = None) -> None:
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


def scipy_dok_update() -> None:
    """Symptom: ``AttributeError: 'dok_matrix' object has no attribute '_update'`` in LightGCN,
    NGCF, NCL, GCMC, SpectralCF, KGIN, MCCLK.

    Reported: RecBole#2090, PR #2187. Versions: SciPy >= 1.13. The private method that set entries
    without checks is back under its old name. Can go once RecBole builds its graphs otherwise.
    """
    if not hasattr(scipy.sparse.dok_matrix, "_update"):
        scipy.sparse.dok_matrix._update = lambda self, data: self._dict.update(data)


class _PandasForDataset:
    """pandas, for RecBole's ``data/dataset/dataset.py``, with read_csv and concat changed."""

    concat = staticmethod(atomic_reader.concat)

    def __getattr__(self, name: str) -> Any:
        return getattr(pd, name)

    @staticmethod
    def read_csv(*args: Any, **kwargs: Any) -> pd.DataFrame:
        frame = atomic_reader.read_csv(*args, **kwargs)
        # missing sequences are empty ones
        sequences = [column for column in frame if column.endswith("_seq")]
        frame[sequences] = frame[sequences].fillna("")
        return frame


def pandas_fillna() -> None:
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

    def fill_nan(self: Any) -> None:
        note_missing(self)
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


def pandas_agg() -> None:
    """Symptom: ``feat[field].agg(len)`` gives one number instead of a length per row, so sequence
    features fail to remap or, in a table of one row, are silently wrong.

    Reported: none seen upstream (found here). Versions: pandas >= 3.0, where ``Series.agg`` hands
    the whole column to the function. In RecBole's dataset modules ``len`` of a column of objects is
    now a column of lengths.
    Can go once RecBole writes ``.map(len)``.
    """
    from recbole.data.dataset import dataset, kg_dataset, sequential_dataset

    def lengths(value: Any) -> Any:
        if isinstance(value, pd.Series) and value.dtype == object:
            return value.map(builtins.len)
        return builtins.len(value)

    if int(pd.__version__.split(".")[0]) >= 3:
        for module in (dataset, kg_dataset, sequential_dataset):
            module.len = lengths


def harmless_warnings() -> None:
    """Symptom: warnings in every run about lines of RecBole's, which a user cannot change.

    Reported: none seen upstream (found here). Versions: pandas >= 3.0 hands out read-only arrays,
    of which RecBole makes tensors by copying; pandas 2.2 warns of what ``pandas_fillna`` and
    ``pandas_agg`` correct for 3.0, and 3.0 of the no-op that is left; torch has renamed the
    gradient scaler and the sparse tensors that RecBole makes. Can go with those lines of RecBole's.
    """
    for message, category in (
        ("The given NumPy array is not writable", UserWarning),
        ("A value is (being|trying to be) set on a copy of a DataFrame", Warning),
        ("using .* in Series.agg cannot aggregate", FutureWarning),
        (r"torch\.sparse\.SparseTensor\(", UserWarning),
        (r"`torch\.cuda\.amp\.GradScaler\(args", FutureWarning),
    ):
        warnings.filterwarnings("ignore", message, category, module=r"recbole\.")
