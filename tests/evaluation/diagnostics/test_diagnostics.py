"""The two ways to ask: a setting of a run, and the command on its checkpoint."""

import json
import re
from pathlib import Path

import pytest
import torch
from browsing import opened
from quick import QUICK_PAIR

from recbole_dsl.cli.diagnose import main
from recbole_dsl.common.errors import UsageError
from recbole_dsl.evaluation.diagnostics import page
from recbole_dsl.experiments.diagnose_checkpoints import diagnose_checkpoints
from recbole_dsl.experiments.single_run import run
from recbole_dsl.training import base_trainer, checkpoint, sealed_file

SETTINGS = {
    **QUICK_PAIR,
    "epochs": 2,
    "train_batch_size": 64,
    "train_neg_sample_args": {"sample_num": 9},
}
OF_MODEL = {
    "MF_AdvInfoNCE": {"adversarial_start": 1},
    "MF_AdapTau": {"tau": 0.2},  # the toy is too dense for an empty one
}
POSITIVES = {
    "temperature", "weight", "prior_entropy", "prior_entropy_share", "effective_negatives",
    "positive_score", "prior_payoff", "payoff", "kl", "drawn_similarity", "prior_similarity",
    "similarity",
}  # fmt: skip


@pytest.fixture
def toy(make_dataset):
    """Items of very different popularity: a user likes the first items, how many depends on it."""
    pairs = [(f"u{u}", f"i{i}") for u in range(40) for i in range(30) if (u * 7 + i * i) % 40 > i]
    return make_dataset("toy", pairs)


def _plain(value):
    return json.loads(json.dumps(value, allow_nan=False))


@pytest.mark.slow
@pytest.mark.parametrize("model", ["MF_DSL", "MF_AdapTau", "MF_SLatK", "MF_AdvInfoNCE"])
def test_metrics_and_weights_are_those_of_a_run_without(toy, model):
    settings = {**SETTINGS, **OF_MODEL.get(model, {})}
    plain, diagnosed = (
        run(model, toy, config_dict={**settings, "diagnostics": asked}) for asked in (False, True)
    )
    assert "diagnostics" not in plain
    for key in ("valid", "test", "best_epoch"):
        assert plain[key] == diagnosed[key]
    one, other = (checkpoint.read(r["checkpoint"])["state_dict"] for r in (plain, diagnosed))
    assert set(one) == set(other)
    assert all(torch.equal(one[key], other[key]) for key in one)


def test_a_run_writes_numbers_into_its_result_and_a_page_beside_it(toy, own_folder):
    settings = {**SETTINGS, "diagnostics": True, "result_file": "out/MF_DSL-0.1.json"}
    result = run("MF_DSL", toy, config_dict={**settings, "state": "INFO"})
    written = json.loads((own_folder / "out" / "MF_DSL-0.1.json").read_text())["diagnostics"]
    assert written == _plain(result["diagnostics"])
    assert written["page"] == "out/MF_DSL-0.1.diagnostics.html"
    assert (own_folder / written["page"]).is_file()
    assert set(written["positives"]) == POSITIVES
    assert set(written["negatives_by_group"]) == {"drawn", "prior", "worst_case"}
    assert written["rows"] == written["training_rows"] == result["splits"]["train"]["rows"]
    assert (written["sample_num"], written["batch_size"], written["seed"]) == (9, 64, 2020)
    assert written["identity_error"] < 1e-10
    groups = written["groups"]
    assert [one["name"] for one in groups] == [str(name) for name in range(1, 11)]
    assert sum(one["rows"] for one in groups) == written["rows"]
    tau = written["positives"]["temperature"]["all"]
    assert tau["quantiles"] == sorted(tau["quantiles"]) and tau["quantiles"][0] < tau["mean"]
    log = next((own_folder / "log" / "MF_DSL").glob("*.log")).read_text()
    assert "diagnostics of MF_DSL on toy" in log
    assert "Diagnostics: out/MF_DSL-0.1.diagnostics.html" in log


@pytest.mark.slow
def test_the_best_epoch_is_diagnosed_also_without_a_test_set_or_a_checkpoint(toy, monkeypatch):
    falling = iter((0.5, 0.4))
    settings = {**SETTINGS, "diagnostics": True, "eval_args": {"split": {"RS": [0.8, 0.2, 0.0]}}}
    with monkeypatch.context() as patch:
        patch.setattr(base_trainer, "calculate_valid_score", lambda *_: next(falling))
        result = run("MF_SL", toy, config_dict=settings)
    assert result["test"] is None and result["best_epoch"] == 0
    (again,) = diagnose_checkpoints([result["checkpoint"]])[0].values()
    del result["diagnostics"]["page"]
    assert _plain(again) == _plain(result["diagnostics"])
    unsaved = run("MF_SL", toy, config_dict={**SETTINGS, "diagnostics": True}, saved=False)
    assert unsaved["diagnostics"]["page"] is None and unsaved["diagnostics"]["rows"] > 0


@pytest.mark.parametrize("model", ["MF_BPR", "MF_DirectAU", "LightGCN_InfoNCE", "MF_SCE", "BPR"])
def test_a_loss_without_diagnostics_stops_the_run_before_training(toy, model, own_folder):
    settings = {"state": "ERROR", "diagnostics": True}
    with pytest.raises(UsageError, match=rf"^{model} has no diagnostics: .* \(DSL, SL, BSL, PSL"):
        run(model, toy, config_dict=settings)
    assert not (own_folder / "saved").exists()


@pytest.mark.parametrize("rows", [0, -1, True])
def test_rows_are_a_number_of_rows(toy, rows):
    with pytest.raises(UsageError, match="diagnostics_rows must be an integer"):
        run("MF_SL", toy, config_dict={**SETTINGS, "diagnostics_rows": rows})


@pytest.mark.slow
def test_two_processes_report_what_the_command_finds_in_their_checkpoint(toy):
    settings = {**SETTINGS, "diagnostics": True, "nproc": 2, "device": "cpu"}
    result = run("MF_AdapTau", toy, config_dict={**settings, **OF_MODEL["MF_AdapTau"]})
    assert result["world_size"] == 2
    found = result["diagnostics"]
    assert Path(found.pop("page")).is_file()
    (again,) = diagnose_checkpoints([result["checkpoint"]])[0].values()
    assert again["positives"]["temperature"] == found["positives"]["temperature"]
    assert again["positives"]["kl"]["all"]["mean"] == pytest.approx(
        found["positives"]["kl"]["all"]["mean"]
    )


# The command -------------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_command_puts_two_models_on_one_page(toy, own_folder, capsys):
    paths = [run(model, toy, config_dict=SETTINGS)["checkpoint"] for model in ("MF_DSL", "MF_SL")]
    assert main([*paths, "--rows=300", "--output=side.html"]) == 0
    said = capsys.readouterr().out
    for model in ("MF_DSL", "MF_SL"):
        assert re.search(rf"diagnostics of {model} on toy, means over 300 of \d+ training", said)
    assert said.endswith("wrote side.html\nwrote side.json\n")
    found = json.loads((own_folder / "side.json").read_text())
    assert list(found) == ["MF_DSL", "MF_SL"] and found["MF_SL"]["rows"] == 300
    taus = found["MF_SL"]["positives"]["temperature"]["all"]["quantiles"]
    assert taus == pytest.approx([0.2] * 5)

    with opened(own_folder / "side.html") as (shown, errors):
        assert errors == []
        assert shown.title() == "Diagnostics: MF_DSL, MF_SL"
        figures = shown.locator(".plotly-graph-div")
        assert figures.count() == 7
        plots = "[...document.querySelectorAll('.plotly-graph-div')]"
        names = shown.evaluate(f"{plots}.map(plot => plot.data.map(trace => trace.name))")
        assert names[0] == names[1] == ["MF_DSL", "MF_SL"]
        assert names[4] == [
            f"{model}: {what}"
            for model in ("MF_DSL", "MF_SL")
            for what in ("positive", "E_Q[f]", "E_P[f]")
        ]
        assert names[5] == ["MF_DSL: Q", "MF_DSL: P", "MF_SL: Q", "MF_SL: P"]
        there = sum(one["rows"] > 0 for one in found["MF_SL"]["groups"])
        assert figures.nth(0).locator(".boxlayer path.box").count() == 2 * there
        for figure, traces in ((1, 2), (3, 2), (4, 6), (5, 4), (6, 6)):
            marks = figures.nth(figure).locator(".scatterlayer path.point")
            assert marks.count() == traces * there, figure
        titles = figures.nth(1).locator(".xtitle, .ytitle").all_text_contents()
        assert any("popularity group of the positive item" in title for title in titles)
        assert "effective number of negatives" in titles
        assert shown.locator("table").count() == 2
        _check_verdicts(shown.locator(".verdict").all_inner_texts(), found)
        assert shown.locator(".warning").count() == 0
        for width in (1400, 500):
            shown.set_viewport_size({"width": width, "height": 800})
            shown.wait_for_function("document.body.scrollWidth <= window.innerWidth")


def _check_verdicts(verdicts, found):
    """The sentences have the numbers of the JSON file, of the first and last group with a row."""
    for said, (label, one) in zip(verdicts, found.items(), strict=True):
        names = [g["name"] for g in one["groups"] if one["positives"]["kl"][g["name"]]]
        ends = [one["positives"]["temperature"][names[at]]["mean"] for at in (0, -1)]
        assert said.startswith(f"{label}, rarest and most popular tenth of the positives: ")
        shown = f"mean temperature {ends[0]:.3f} and {ends[1]:.3f};"
        assert (shown if label == "MF_DSL" else "mean temperature 0.200 in both;") in said
        negatives = [one["positives"]["effective_negatives"][names[at]]["mean"] for at in (0, -1)]
        assert f"of negatives {negatives[0]:.0f}" in said and "of 9;" in said


@pytest.mark.slow
def test_checkpoints_of_different_splits_are_warned_of_in_a_line(toy, own_folder, capsys):
    split = {"eval_args": {"split": {"RS": [0.6, 0.2, 0.2]}}}
    one, same, other = (
        run("MF_SL", toy, config_dict={**SETTINGS, **more, "checkpoint_dir": place})["checkpoint"]
        for place, more in (("a", {}), ("b", {"tau": 0.1}), ("c", split))
    )
    capsys.readouterr()
    assert main([one, same, "--rows=100", "--output=same.html"]) == 0
    assert "warning" not in capsys.readouterr().err
    assert main([one, same, other, "--rows=100", "--output=mixed.html"]) == 0
    warned = [line for line in capsys.readouterr().err.splitlines() if "warning" in line]
    assert len(warned) == 1
    assert warned[0].startswith(f"warning: {other} was not trained on the rows of {one} (")
    assert 'class="warning"' in (own_folder / "mixed.html").read_text()


def test_the_page_of_a_run_has_the_name_of_the_commands(toy, own_folder):
    result = run("MF_SLatK", toy, config_dict={**SETTINGS, "diagnostics": True})
    before = Path(result["diagnostics"]["page"]).read_text()
    _, output = diagnose_checkpoints([result["checkpoint"]])
    assert str(output) == result["diagnostics"]["page"]
    assert "Weight of the rows" in before and "Weight of the rows" in output.read_text()


def test_models_of_one_name_are_told_apart_by_their_files(toy):
    paths = [
        run("MF_SL", toy, config_dict={**SETTINGS, "tau": tau, "checkpoint_dir": f"saved{tau}"})
        for tau in (0.1, 0.2)
    ]
    paths = [result["checkpoint"] for result in paths]
    found, _ = diagnose_checkpoints(paths, output="x.html")
    assert list(found) == [f"MF_SL ({path})" for path in paths]
    means = [one["positives"]["temperature"]["all"]["mean"] for one in found.values()]
    assert means == pytest.approx([0.1, 0.2])


@pytest.mark.slow
def test_a_name_is_shown_as_text(own_folder, toy):
    path = run("MF_SL", toy, config_dict=SETTINGS)["checkpoint"]
    (found,) = diagnose_checkpoints([path])[0].values()
    page.write(own_folder / "x.html", {"<b>&": found})
    with opened(own_folder / "x.html") as (shown, errors):
        assert errors == [] and shown.title() == "Diagnostics: <b>&"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "no CHECKPOINT is given"),
        (["none.pth"], "no checkpoint none.pth"),
        (["text.pth"], "text.pth is not a checkpoint of recbole_dsl"),
        (["bpr.pth"], "bpr.pth: BPR has no diagnostics"),
        (["mf_bpr.pth"], "mf_bpr.pth: MF_BPR has no diagnostics"),
        (["a.pth", "a.pth"], "a.pth is given twice"),
        (["a.pth", "--row=3"], "unknown flag --row; did you mean rows?"),
        (["a.pth", "--rows=0"], "--rows must be an integer >= 1"),
        (["a.pth", "--rows=many"], "--rows must be an integer >= 1"),
        (["a.pth", "--output=x.png"], "--output must end in .html, got 'x.png'"),
        (["a.pth", "--rows=3", "--rows=4"], "--rows is given twice"),
    ],
)
def test_mistakes_get_one_line_and_exit_code_two(arguments, message, own_folder, capsys):
    (own_folder / "text.pth").write_text("hello")
    for file, model in (("bpr.pth", "BPR"), ("mf_bpr.pth", "MF_BPR")):
        entries = {key: {} for key in ("config", "origins", "state_dict", "optimizer")}
        entries |= {"recbole_dsl": "0", "model": model, "dataset": "x", "fingerprint": ""}
        entries |= {"epoch": 0, "cur_step": 0, "best_valid_score": 0.0, "other_parameter": None}
        sealed_file.write(own_folder / file, entries)
    files = set(own_folder.iterdir())
    assert main(arguments) == 2
    said = capsys.readouterr()
    assert said.out == "" and said.err.startswith("error: ") and message in said.err
    assert said.err.count("\n") == 1 and set(own_folder.iterdir()) == files


def test_help_names_every_loss_that_has_diagnostics(capsys):
    from recbole_dsl.models.registry import LOSSES

    assert main(["--help"]) == 0
    said = capsys.readouterr().out
    for name, cls in LOSSES.items():
        assert (re.search(rf"\b{name}\b", said) is not None) == hasattr(cls, "robust_view"), name
