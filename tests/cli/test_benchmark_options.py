import math
from pathlib import Path

import pytest

from recbole_dsl.cli import benchmark
from recbole_dsl.cli.benchmark_options import benchmark_request
from recbole_dsl.common.errors import UsageError
from recbole_dsl.experiments.benchmark.benchmark import Ended


def _request(words):
    return benchmark_request(benchmark.COMMAND.parse(words))


def test_options_and_settings_of_all_runs_are_told_apart():
    given = _request(
        ["-m", "MF_SL,BPR", "--dataset=a,b", "--seeds=0..2,7", "--jobs=2", "--tau", "0.1",
         "--topk=[5, 10]", "--config_files=a.yaml b.yaml", "--retry_failed", "--output=out",
         "--columns=NDCG@10, recall@5"]
    )  # fmt: skip
    assert (given.models, given.datasets) == (["MF_SL", "BPR"], ["a", "b"])
    assert (given.seeds, given.jobs) == ([0, 1, 2, 7], 2)
    assert given.shared == {"tau": 0.1, "topk": [5, 10]}
    assert given.config_files == ["a.yaml", "b.yaml"] and given.output == Path("out")
    assert given.retry_failed and not given.report_only and not given.keep_checkpoints
    assert given.columns == ["ndcg@10", "recall@5"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "no models: --model=A,B"),
        (["--model=A,,B"], "names separated by commas, got 'A,,B'"),
        (["--model=A,A"], "names A twice; two settings of one model need two labels"),
        (["--model=A", "--seeds=4..0"], "integers >= 0 such as 0..4 or 1,5,7, got '4..0'"),
        (["--model=A", "--seeds=x"], "integers >= 0"),
        (["--model=A", "--seeds=1,0..2"], "a seed twice"),
        (["--model=A", "--columns=a,,b"], "--columns must be names separated by commas"),
        (["--model=A", "--columns=a@1,A@1"], "--columns names a@1 twice"),
        (["--model=A", "--jobs=0"], "--jobs must be an integer >= 1, got '0'"),
        (["--model=A", "--seed=3"], "--seed is set by the benchmark: give --seeds"),
        (["--model=A", "--result_file=x"], "results go to --output"),
        (["--model=A", "--alternative=less"], "one of two-sided, better, got 'less'"),
        (["--model=A", "--alternative=bettr"], "got 'bettr'; did you mean better?"),
        (["--model=A", "--model=B"], "--model is given twice"),
        (["--model=A", "--retry_failed=maybe"], "--retry_failed must be True or False"),
        (["--model=A", "-x", "3"], "unknown flag -x"),
        (["--model=A", "--tune=0"], "--tune must be an integer >= 1, got '0'"),
        (["--model=A", "--tune=2", "--tune_seconds=-1"], "--tune_seconds must be a number > 0"),
        (["--model=A", "--tune_sampler=tpe"], "--tune_sampler is of tuning, which --tune=TRIALS"),
    ],
)
def test_mistakes_are_named(arguments, message):
    with pytest.raises(UsageError) as caught:
        _request(arguments)
    assert message in str(caught.value)


def test_a_report_keeps_the_alternative_of_the_last_plan_unless_it_is_given():
    assert _request(["--report"]).alternative is None
    assert _request(["--report", "--alternative=better"]).alternative == "better"
    assert _request(["--report"]).reference is None


def test_seeds_may_stand_in_brackets():
    assert _request(["--model=A", "--seeds=[0, 2..3]"]).seeds == [0, 2, 3]


def test_defaults_are_those_of_the_help():
    given = _request(["--models_file=m.yaml"])
    assert given.models is None and given.models_file == "m.yaml" and given.config_files == []
    assert (given.datasets, given.seeds, given.jobs) == (["ml-100k"], [2020, 2021, 2022], 1)
    assert given.output == Path("saved/benchmark") and given.alternative == "two-sided"
    assert (given.tune, given.tune_seconds, given.tune_sampler) == (None, math.inf, "tpe")
    assert given.shared == {} and given.reference is None


@pytest.mark.parametrize(
    ("ended", "code"),
    [(Ended(False), 0), (Ended(True), 1), (Ended(False, 15), 143), (Ended(True, 2), 130)],
)
def test_the_exit_code_says_how_it_ended(ended, code, monkeypatch):
    monkeypatch.setattr(
        "recbole_dsl.experiments.benchmark.benchmark.benchmark", lambda asked: ended
    )
    assert benchmark.main(["--model=A"]) == code
