"""``recbole_dsl tune``: its command line, what it prints, its page."""

import inspect
import json
import re
from pathlib import Path

import pytest
from browsing import opened

from recbole_dsl.cli.tune import COMMAND, main, tune_arguments
from recbole_dsl.experiments.tuning.search import tune

pytest.importorskip("optuna")


@pytest.fixture
def board(checkerboard):
    """The command line of a study that takes a moment."""
    settings = {
        "model": "MF_SL",
        "dataset": checkerboard,
        "benchmark_filename": ["train", "valid", "test"],
        "embedding_size": 8,
        "train_neg_sample_args": {"sample_num": 16},
    }
    return [f"--{key}={value}" for key, value in settings.items()]


@pytest.mark.slow
def test_a_study_prints_its_trials_best_first_and_leaves_a_page(board, capsys):
    Path("hyper.test").write_text("tau choice [0.1,0.2,0.5]\nlearning_rate choice [0.01,0.1]\n")
    assert main([*board, "--epochs=2", "--sampler=grid", "--params_file=hyper.test"]) == 0
    said = capsys.readouterr()
    lines = said.out.splitlines()
    assert lines[0].split() == ["trial", "mrr@10", "epoch", "seconds", "learning_rate", "tau"]
    scores = [float(line.split()[1]) for line in lines[2:8]]
    assert scores == sorted(scores, reverse=True)
    assert lines[8].startswith("6 of 6 trials: 6 complete, 0 ended early, 0 failed; ")
    assert lines[9].startswith(
        f"best: trial {lines[2].split()[0]}, mrr@10 {scores[0]:.4f} on valid"
    )
    assert lines[10].startswith("test of the winner, once: recall@10 ")
    assert lines[11:] == [
        "wrote saved/tuning/MF_SL-board/best.yaml", "wrote saved/tuning/MF_SL-board/tuning.html",
    ]  # fmt: skip
    progress = said.err.splitlines()
    assert len(progress) == 6 and progress[0].startswith("1 of 6: trial 0 mrr@10 0.")
    assert progress[0].endswith(" s left") and "left" not in progress[5]
    with opened(Path("saved/tuning/MF_SL-board/tuning.html").resolve()) as (page, errors):
        assert errors == []
        assert page.title() == "Tuning of MF_SL on board"
        assert page.locator(".plotly-graph-div").count() == 1 + 2 + 1  # two settings
        _check_page(page, lines)
        page.set_viewport_size({"width": 500, "height": 900})
        page.wait_for_function("document.body.scrollWidth <= window.innerWidth")


def _check_page(page, lines):
    """Verdict and tables have the numbers that were printed, epochs from 1."""
    best = lines[9].replace(":", "").replace(",", "").split()  # best: trial 4, mrr@10 0.3 ...
    number, score, epoch = best[2], best[4], int(best[9])
    next_score = next(line.split()[1] for line in lines[3:8])
    verdict = page.inner_text(".verdict")
    assert verdict.startswith(f"Trial {number} is the best: learning_rate 0.")
    assert f"mrr@10 {score} on validation in epoch {epoch + 1}, " in verdict
    ahead = float(verdict.split(" ahead of trial")[0].split()[-1])
    assert ahead == pytest.approx(float(score) - float(next_score), abs=1.1e-4)
    assert "whether the next one is worse was not tested" in verdict
    tables = page.locator("table")
    settings = dict(row.split("\t")[:2] for row in tables.nth(0).locator("tr").all_inner_texts())
    printed = dict(zip(lines[0].split(), lines[2].split(), strict=False))
    assert {name: settings[name] for name in ("learning_rate", "tau")} == {
        name: printed[name] for name in ("learning_rate", "tau")
    }
    scores = dict(row.split("\t")[::2] for row in tables.nth(1).locator("tr").all_inner_texts())
    assert f"recall@10 {scores['recall@10']}" in lines[10]
    trials = [row.split("\t") for row in tables.nth(2).locator("tr").all_inner_texts()]
    assert [row[0] for row in trials[1:]] == [line.split()[0] for line in lines[2:8]]
    epochs = [(row[2], line.split()[2]) for row, line in zip(trials[1:], lines[2:8], strict=True)]
    assert all(int(shown) == int(printed) + 1 for shown, printed in epochs)
    ticks = page.locator(".plotly-graph-div").last.locator(".xaxislayer-above text")
    assert ticks.all_text_contents() == ["1", "2"]


@pytest.mark.slow
def test_importance_is_shown_once_there_are_trials_enough(board):
    Path("wide.yaml").write_text("tau: 0.05..0.5 step 0.05\nlearning_rate: [0.01, 0.1]\n")
    words = [*board, "--epochs=1", "--params_file=wide.yaml", "--no_test"]
    assert main([*words, "--trials=10", "--sampler=random"]) == 0
    page = Path("saved/tuning/MF_SL-board/tuning.html").read_text()
    assert "<h2>Importance of the settings</h2>" in page
    shares = re.search(r'"text":(\[[^]]*\]),"textposition":"auto"', page)[1]
    assert sum(map(float, json.loads(shares))) == pytest.approx(1, abs=0.011)


def test_options_are_told_from_settings():
    words = ["-m", "MF_SL", "--trials=3", "--tau=0.1", "--no_test", "--max_seconds", "60",
                   "--config_files=a.yaml b.yaml", "--prune=True"]  # fmt: skip
    found = tune_arguments(COMMAND.parse(words))
    assert found["arguments"] == [("model", "MF_SL"), ("tau", "0.1")]
    assert (found["trials"], found["max_seconds"], found["prune"]) == (3, 60, True)
    assert found["config_file_list"] == ["a.yaml", "b.yaml"] and found["tested"] is False
    assert found["command"].startswith("recbole_dsl tune -m MF_SL --trials=3")
    assert set(found) <= inspect.signature(tune).parameters.keys()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--trials=0"], "trials must be an integer >= 1, got 0"),
        (["--jobs=two"], "jobs must be an integer >= 1, got 'two'"),
        (["--max_seconds=-1"], "max_seconds must be a number > 0, got -1"),
        (["--prune=maybe"], "prune must be True or False, got 'maybe'"),
        (["--sampler=tpee"], "got 'tpee'; did you mean tpe?"),
        (["--nproc=2"], "tuning trains each trial in one process"),
        (["--storage=sqlite:///x.db"], "for one machine name a file, for several a server's URL"),
        (["--storage=nosuch://host/x"], "storage nosuch://host/x: "),
        (["--params_file=none"], "cannot read params_file none"),
        (["--params_file=typo"], "typo: unknown setting 'taau'; did you mean tau?"),
        (["--params_file=other"], "n_layers is not a setting of MF_SL"),
        (["--params_file=value"], "tau must be a number > 0, got 0"),
        (["--params_file=seed"], "seed cannot be tuned: it says what is measured"),
        (["--params_file=metric"], "topk cannot be tuned"),
        (["--params_file=span", "--sampler=grid"], "a grid needs choices, and the range of tau"),
        (["--params_file=span", "--tau=0.1"], "tau is to be tuned and is given a value (command"),
        (["--model=BPR"], "BPR has no ranges of its own: --params_file=FILE says what to tune"),
        (["--model=MF_DLS"], "did you mean MF_DSL?"),
    ],
)  # fmt: skip
def test_mistakes_get_one_line_and_train_nothing(words, message, capsys, monkeypatch):
    files = {"file": "", "typo": "taau [1]", "other": "n_layers [1]", "value": "tau 0..1",
             "seed": "seed [1,2]", "metric": "topk [5,10]", "span": "tau 0.1..1"}  # fmt: skip
    for name, text in files.items():
        Path(name).write_text(text)
    monkeypatch.setattr("recbole_dsl.experiments.single_run.run", None)
    assert (
        main(["--dataset=ml-100k", *(words if "--model" in words[0] else ["-m", "MF_SL", *words])])
        == 2
    )
    said = capsys.readouterr()
    assert said.out == "" and message in said.err
    assert len(said.err.splitlines()) == 1
    assert not Path("saved").exists()


def test_an_output_that_is_a_file_is_one_line_of_the_systems(capsys):
    Path("file").write_text("")
    assert main(["--model=MF_SL", "--dataset=ml-100k", "--output=file"]) == 1
    assert capsys.readouterr().err == "error: cannot write file: Not a directory\n"
    assert [path.name for path in Path().iterdir()] == ["file"]
