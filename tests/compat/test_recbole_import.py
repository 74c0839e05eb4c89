"""What importing RecBole through this package does not bring along."""

import subprocess
import sys

import pytest


@pytest.mark.slow
def test_ray_and_quick_start_are_never_imported():
    code = (
        "import sys; import recbole_dsl.experiments.single_run, recbole_dsl.cli.run; "
        "assert not {'ray', 'recbole.quick_start'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.slow
def test_listing_recboles_models_leaves_autograd_at_full_speed():
    """recbole/model/sequential_recommender/sine.py switches anomaly mode on as it is imported."""
    code = (
        "import sys, torch; "
        "from recbole_dsl.models.resolve import resolve_model; resolve_model('BPR'); "
        "assert 'recbole.model.sequential_recommender.sine' in sys.modules; "
        "assert not torch.is_anomaly_enabled()"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
