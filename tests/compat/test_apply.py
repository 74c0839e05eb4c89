"""One call changes RecBole and the libraries under it, and nothing else does."""

import importlib.metadata
import subprocess
import sys

import pandas as pd
import pytest

from recbole_dsl.compat.apply import apply


def test_applying_twice_changes_nothing():
    from recbole.data.dataset import dataset as module

    apply()
    before = (module.pd, module.Dataset._fill_nan, module.Dataset._download)
    apply()
    assert (module.pd, module.Dataset._fill_nan, module.Dataset._download) == before
    assert module.pd.DataFrame is pd.DataFrame


def test_another_recbole_is_refused_and_a_missing_one_explained(monkeypatch):
    monkeypatch.setattr("importlib.metadata.version", lambda name: "9.9")
    with pytest.raises(ImportError, match=r"works with recbole 1\.2\.1, found 9\.9"):
        apply()

    def missing(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr("importlib.metadata.version", missing)
    with pytest.raises(ImportError, match="pip install --no-deps recbole==1.2.1"):
        apply()


@pytest.mark.slow
def test_importing_compat_changes_nothing():
    """RecBole is not even imported; NumPy's dropped names and warnings stay as they were."""
    code = (
        "import sys, warnings, numpy, pandas, torch, scipy.sparse; "
        "dok = scipy.sparse.dok_matrix; before = warnings.filters[:], set(vars(dok)); "
        "from recbole_dsl.compat import apply, dependency_fixes, recbole_fixes, recbole_import; "
        "assert not any('recbole' == name.split('.')[0] for name in sys.modules); "
        "assert 'float' not in vars(numpy); "
        "assert (warnings.filters, set(vars(dok))) == before"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
