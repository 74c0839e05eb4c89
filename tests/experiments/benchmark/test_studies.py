"""Which studies a benchmark makes, before any of them is run."""

import math
from pathlib import Path

import pytest

from recbole_dsl.experiments.benchmark.entries import entries
from recbole_dsl.experiments.benchmark.request import Request
from recbole_dsl.experiments.benchmark.studies import studies

pytest.importorskip("optuna")


def _studies(tune_seconds=math.inf, **shared):
    request = Request(
        models=None, datasets=["tiny"], seeds=[3, 4], jobs=1, output=Path("out"),
        models_file="models.yaml", config_files=[], shared=shared, reference=None,
        alternative="two-sided", tune=2, tune_seconds=tune_seconds, tune_sampler="tpe",
        retry_failed=False, keep_checkpoints=False, report_only=False,
    )  # fmt: skip
    return studies(entries(None, request.models_file), request)


@pytest.mark.slow
def test_ranges_are_those_of_the_section_else_of_the_property_files_less_what_is_given(
    tiny, own_folder
):
    (own_folder / "models.yaml").write_text(
        "own: {model: MF_SL, search: {tau: '0.1..0.3', reg_weight: [0.0, 1e-4]}}\nMF_SL:\n"
        "fixed: {model: MF_SL, tau: 0.2}\nnone: {model: MF_SL, search: {}}\n"
    )
    found = {study.label: study for study in _studies(tune_seconds=9.0, learning_rate=0.01)}
    assert found["own"].ranges == {"tau": "0.1..0.3", "reg_weight": "[0.0, 0.0001]"}
    assert sorted(found["MF_SL"].ranges) == ["reg_weight", "tau"]
    assert sorted(found["fixed"].ranges) == ["reg_weight"]
    assert found["none"].why_not == "no ranges"
    assert {study.budget["seconds"] for study in found.values()} == {9.0}
    assert {s.arguments["max_seconds"] for s in found.values() if s.ranges} == {9.0}
    unlimited = _studies(learning_rate=0.01)
    assert {study.budget["seconds"] for study in unlimited} == {None}
    assert not any("max_seconds" in study.arguments for study in unlimited)
    everything = dict(tau=0.2, reg_weight=0, learning_rate=0.01)
    assert {study.why_not for study in _studies(**everything)} == {
        "all of its ranges are given values", "no ranges",
    }  # fmt: skip
    changed = _studies(tune_seconds=9.0, learning_rate=0.02)
    assert not {s.folder for s in changed if s.ranges} & {s.folder for s in found.values()}
