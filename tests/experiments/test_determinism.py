"""The same seed gives the same numbers, also where several threads compute them."""

import pytest
import torch
from quick import QUICK, QUICK_PAIR

from recbole_dsl.config.run_config import Config
from recbole_dsl.experiments.determinism import deterministic
from recbole_dsl.experiments.single_run import run
from recbole_dsl.training import checkpoint

SETTINGS = {"LightGCN_DSL": QUICK_PAIR, "LightGCN": QUICK}


@pytest.fixture
def two_threads():
    """Several threads are what makes sums depend on the order they happen to finish in."""
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.mark.slow
@pytest.mark.parametrize("model", SETTINGS)
def test_the_same_seed_gives_the_same_numbers_twice_and_another_does_not(model, two_threads):
    # In folders of their own: checkpoints of one second and process have one name.
    first, second, other = (
        run(
            model,
            "ml-100k",
            config_dict={**SETTINGS[model], "seed": seed, "checkpoint_dir": f"saved/{number}"},
        )
        for number, seed in enumerate((1, 1, 2))
    )
    for key in ("valid", "test", "splits"):
        assert first[key] == second[key]
    weights, again = (checkpoint.read(r["checkpoint"])["state_dict"] for r in (first, second))
    assert all(torch.equal(weights[name], again[name]) for name in weights)
    assert first["test"] != other["test"]


@pytest.mark.parametrize("asked", [True, False])
def test_torch_is_asked_for_determinism_during_a_run_and_left_as_it_was(asked):
    config = Config("MF_SL", "ml-100k", config_dict={"device": "cpu", "reproducibility": asked})
    filled = torch.utils.deterministic.fill_uninitialized_memory
    with deterministic(config):
        assert torch.are_deterministic_algorithms_enabled() == asked
        assert torch.is_deterministic_algorithms_warn_only_enabled() == asked
        kept = False if asked else filled
        assert torch.utils.deterministic.fill_uninitialized_memory == kept
    with pytest.raises(KeyError), deterministic(config):
        raise KeyError
    assert not torch.are_deterministic_algorithms_enabled()
    assert torch.utils.deterministic.fill_uninitialized_memory == filled
