"""What dsl_study.py tries: equal budgets, the same points for all losses, options off at first."""

import dsl_study_jobs as jobs
import dsl_study_plan as plan
import dsl_study_settings as tried
import dsl_study_training as training
import numpy as np
import pytest
from dsl_study_data import DATA, IID, POPULARITY
from dsl_study_plan import Cell
from dsl_study_settings import DSL, KAPPA, LOSSES, MF, SL, TEMPERATURE
from study_stores import every_trial

from recbole_dsl.config.run_config import Config


def test_a_longer_budget_keeps_the_trials_of_a_shorter_one():
    assert tried.points(12) == tried.points(64)[:12] and len(tried.points(6)[0]) == 8
    columns = np.array(tried.points(64)).T
    for column in columns:  # a Sobol sequence: as many points in each part of the range
        assert (np.histogram(column, 8, (0, 1))[0] == 8).all()
    # The trials of the store: another sequence would leave them without a use.
    assert tried.settings_of(SL, tried.points(1)[0]) == {
        "learning_rate": 0.03693,
        "tau": 0.1037,
    }


def test_budgets_are_equal_and_all_losses_try_the_same_rates_and_temperatures():
    for name in DATA:
        trials = {loss: every_trial(Cell(name, MF, loss)) for loss in LOSSES}
        assert {len(found) for found in trials.values()} == {plan.TRIALS}
        assert {len({jobs.key_of(job) for job in found}) for found in trials.values()} == {12}
        assert {(job["seed"], job["epochs"]) for found in trials.values() for job in found} == {
            (tried.TRIAL_SEED, plan.EPOCHS)
        }
        pairs = {loss: [_rate_and_tau(job) for job in found] for loss, found in trials.items()}
        for found in pairs.values():
            assert np.allclose(found, pairs[SL], rtol=1e-3)  # four digits are kept, Talos' of half
    assert tried.TRIAL_SEED not in plan.SEEDS


def _rate_and_tau(job):
    settings, loss = job["settings"], job["loss"]
    tau = settings["tau_neg"] if loss == tried.BSL else settings["tau"]
    return settings["learning_rate"], 2 * tau if loss == tried.TALOS else tau


def test_the_first_round_is_without_a_losses_own_options_and_the_second_one_near_its_best():
    for loss in (*LOSSES, *tried.FORMS):
        rows = every_trial(Cell("ml-100k-rs", MF, loss))
        assert [row["trial"] for row in rows] == list(range(12))
        assert [row["selection"] for row in rows] == [None] * 6 + [IID] * 6
        best, later = rows[3]["settings"], [row["settings"] for row in rows[6:]]
        names = {"learning_rate": 2, "tau": 1.3, "tau_neg": 1.3}
        for name in names.keys() & best.keys():
            ratios = [settings[name] / best[name] for settings in later]
            assert all(1 / names[name] <= r * 1.001 and r <= 1.001 * names[name] for r in ratios)
            assert max(ratios) > 1 > min(ratios)
        assert all(settings.keys() == best.keys() for settings in later)
        if loss.startswith(DSL):
            first = [row["settings"] for row in rows[:6]]
            assert all(row["alpha"] == row["beta"] == row["gamma"] == 0 for row in first)
        if loss == tried.BSL:
            assert all(row["settings"]["tau_pos"] == row["settings"]["tau_neg"] for row in rows[:6])
            assert not any(found["tau_pos"] == found["tau_neg"] for found in later)


BEST = {"learning_rate": 0.02, "tau": 0.1, "effective_share": 0.5}


def test_the_ablations_are_dsls_own_trials_with_a_branch_off():
    off = {KAPPA: {"gamma": 0.0}, TEMPERATURE: {"alpha": 0.0, "beta": 0.0}}
    for point in tried.points(64):
        settings = tried.settings_of(DSL, point, BEST)
        for loss, changed in off.items():
            assert tried.settings_of(loss, point, BEST) == {**settings, **changed}


def test_forms_are_dsls_own_trials_with_something_changed():
    changed = {form: set() for form in tried.FORMS}
    for point in tried.points(64):
        settings = tried.settings_of(DSL, point, BEST)
        for form in tried.FORMS:
            found = tried.settings_of(form, point, BEST)
            changed[form] |= set(found) - set(settings)
            same = (
                settings.keys() - {"tau"} if form in (tried.SHARE, tried.GAP) else settings.keys()
            )
            own = {
                tried.GAMMA_FACTOR: {"alpha": 0.0, "beta": 0.0},
                tried.COUNTS: {"beta": pytest.approx(4 * settings["beta"])},
            }
            wanted = {**settings, **own.get(form, {})}
            assert {key: wanted[key] for key in same} == {key: found[key] for key in same}
    assert list(changed.values()) == [
        {"positive_factor"}, {"positive_factor"}, {"base_tau", "effective_share"}, {"hardness"},
        {"intensity"}, {"centre"}, {"base_tau"}, {"similarity"},
    ]  # fmt: skip


def test_the_positives_temperature_over_the_negatives_has_one_range_for_bsl_and_dsl():
    for point in tried.points(64):
        bsl = tried.settings_of(tried.BSL, point, {**BEST, "tau_neg": BEST["tau"]})
        factor = tried.settings_of(tried.GAMMA_FACTOR, point, BEST)["positive_factor"]
        assert bsl["tau_pos"] / bsl["tau_neg"] == pytest.approx(factor, rel=1e-3)
        assert 0.8 <= factor <= 1.6


def test_forms_have_no_final_runs_but_those_that_are_tested():
    assert all(step.stage != "final" for step in plan.steps(["e"]))
    tested = {form: set() for form in tried.TESTED_FORMS}
    for step in plan.steps(["f"]):
        if step.stage == "final":
            tested[step.cell.loss].add(step.selection)
    assert tested == {tried.GAMMA_FACTOR: {IID}, tried.FACTOR: {IID, POPULARITY}}


def test_dsls_branches_are_off_in_a_stated_share_and_span_their_ranges():
    found = [tried.settings_of(DSL, point, BEST) for point in tried.points(64)]
    for name, (off, low, high) in (
        ("alpha", tried.ALPHA), ("beta", tried.BETA), ("gamma", tried.GAMMA),
    ):  # fmt: skip
        values = [settings[name] for settings in found]
        assert sum(value == 0 for value in values) == 64 * off
        assert low <= min(values) < low + 0.1 * (high - low)
        assert high >= max(values) > high - 0.1 * (high - low)


@pytest.mark.parametrize("loss", [*LOSSES, *tried.FORMS])
def test_a_run_takes_the_settings(loss):
    job = every_trial(Cell("ml-100k-rs", MF, loss))[8]
    values = {**training._values(job, "data"), "data_path": "dataset"}
    config = Config(Cell("ml-100k", MF, loss).model, "ml-100k", config_dict=values)
    without_alpha = [f"hardness is ignored: it is for alpha, which is {config['alpha']}"]
    assert config.warnings == (without_alpha if loss == tried.HARDNESS else [])
    assert all(config[name] == value for name, value in job["settings"].items())


def test_graph_backbones_try_settings_around_mfs_choice():
    choice = {"learning_rate": 0.1, "tau": 0.1, "alpha": 0.5, "beta": -3.0, "gamma": 1.0}
    found = [tried.settings_around(choice, point) for point in tried.points(64)]
    for name, low, high in (("tau", 0.1 / 1.5, 0.15), ("beta", -4.5, -1.5), ("gamma", 0.6, 1.4)):
        values = [settings[name] for settings in found]
        assert low - 1e-4 <= min(values) < max(values) <= high + 1e-4
    assert {settings["alpha"] for settings in found} == {0.5}
    around_sl = tried.settings_around({"learning_rate": 0.1, "tau": 0.1}, tried.points(1)[0])
    assert set(around_sl) == {"learning_rate", "tau"}
