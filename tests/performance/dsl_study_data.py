"""The data sets of dsl_study.py: the rows that are tested, and those that choose.

What chooses is made of the training rows alone, as a data set of its own, so that no trial can read
a test row.
"""

import shutil
from pathlib import Path
from typing import NamedTuple

from recbole_dsl.data.splitting.write_files import write_split

IID, POPULARITY = "iid", "popularity"
SPLIT_SEED = 2020
# Validation rows, of the training rows: as many i.i.d. ones as shifted ones.
SELECTION_SHARES = (0.9, 0, 0.1)
_PS = ("PS", (0.85, 0, 0.15), (IID, POPULARITY))


class DataSet(NamedTuple):
    """One data set of the study.

    Attributes:
        tests: kinds of its test sets, each with its own selection: "iid", or "popularity", where
            rows are uniform over items.
        negatives: ``train_neg_sample_args``; all items where they are few.
        source: imported data set whose rows are split here; None: it is a ready split.
        split: name, shares and test sets of that split.
    """

    tests: tuple[str, ...]
    negatives: dict
    source: str | None = None
    split: tuple | None = None

    @property
    def parts(self):
        """``benchmark_filename`` of a final run, which has no validation rows."""
        return [*_NO_VALID, *(f"test_{test}" for test in self.tests)] if self.two else _READY

    @property
    def two(self):
        """Whether one training set has both test sets."""
        return len(self.tests) > 1


_READY, _NO_VALID = ["train", "test"], ["train", "valid"]
_ALL, _BLOCK = {"sample_num": "all"}, {"block": 1024}
DATA = {
    "amazon2014-electronic-popularity": DataSet((POPULARITY,), _BLOCK),
    "amazon2014-cd-popularity": DataSet((POPULARITY,), _BLOCK),
    "amazon2014-health-ps": DataSet((IID, POPULARITY), _ALL, "amazon2014-health", _PS),
    "ml-100k-ps": DataSet((IID, POPULARITY), _ALL, "ml-100k", _PS),
    "amazon2014-health": DataSet((IID,), _ALL),
    "amazon2014-electronic": DataSet((IID,), _BLOCK),
    "ml-100k-rs": DataSet((IID,), _ALL, "ml-100k", ("RS", (0.8, 0, 0.2), None)),
}
SELECTION_PARTS = ["train", "test_iid", "test_popularity"]  # train, and the two validation sets


def selection_name(name):
    """The data set of a data set's trials."""
    return f"{name}-selection"


def prepare(name, data):
    """Write the files of a data set, and of its trials, into the folder of the imported ones."""
    data, wanted = Path(data), DATA[name]
    if wanted.source is not None:
        _split(name, wanted, data)
    prepare_selection(name, data)


def _split(name, wanted, data):
    kind, shares, sets = wanted.split
    source = wanted.source
    if source != "ml-100k":  # which RecBole brings in one file
        parts = [data / source / f"{source}.{part}.inter" for part in _READY]
        header, *_ = parts[0].read_text(encoding="utf-8").splitlines(keepends=True)
        rows = [part.read_text(encoding="utf-8").split("\n", 1)[1] for part in parts]
        folder = data / name
        folder.mkdir(exist_ok=True)
        (folder / f"{name}.inter").write_text(header + "".join(rows), encoding="utf-8")
        source = name
    write_split(
        source, kind, shares, split_seed=SPLIT_SEED, test_sets=None if sets is None else [*sets],
        output=name, data_path=data, overwrite=True,
    )  # fmt: skip


def prepare_selection(name, data):
    """Split the training rows of a data set into those of its trials: train and two validations,
    one i.i.d., one by the law of a popularity test."""
    trials = selection_name(name)
    folder = Path(data) / trials
    folder.mkdir(exist_ok=True)
    shutil.copyfile(Path(data) / name / f"{name}.train.inter", folder / f"{trials}.inter")
    write_split(
        trials, "PS", SELECTION_SHARES, split_seed=SPLIT_SEED, test_sets=[IID, POPULARITY],
        output=trials, data_path=data, overwrite=True,
    )  # fmt: skip
