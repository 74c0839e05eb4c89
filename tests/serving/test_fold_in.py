"""Vectors of new users."""

import numpy as np
import pytest

from recbole_dsl.serving.fold_in import TAU, unit, user_vector


def _loss(vector, items, given):
    """The softmax loss of a unit vector, mean over the user's items."""
    scale = np.sqrt((items**2).sum() / len(items))
    logits = items @ vector / (TAU * scale)
    return np.log(np.exp(logits).sum()) - logits[given].mean()


@pytest.mark.parametrize("length", [1.0, 7.0])
def test_softmax_comes_near_the_least_loss_on_the_sphere(length):
    rng = np.random.default_rng(3)
    items = unit(rng.standard_normal((40, 3))) * length
    given = np.array([2, 5, 7])
    around = unit(rng.standard_normal((20_000, 3)))
    scale = TAU * length
    losses = np.log(np.exp(around @ items.T / scale).sum(axis=1))
    losses -= (around @ items[given].mean(axis=0)) / scale
    found = _loss(user_vector(items, given, "softmax", cosine=True), items, given)
    before = _loss(user_vector(items, given, "mean", cosine=True), items, given)
    assert found < losses.min() + 0.1 * (before - losses.min())


def test_cosines_get_unit_vectors_and_the_mean_is_one():
    items = np.array([[3.0, 0.0], [0.0, 4.0], [1.0, 1.0]], np.float32)
    mean = user_vector(items, np.array([0, 1]), "mean", cosine=False)
    np.testing.assert_array_equal(mean, [1.5, 2.0])
    np.testing.assert_allclose(
        user_vector(items, np.array([0, 1]), "mean", cosine=True), [0.6, 0.8]
    )
    for method in ("mean", "softmax"):
        vector = user_vector(items, np.array([0, 2]), method, cosine=True)
        assert vector.dtype == np.float32
        np.testing.assert_allclose(np.linalg.norm(vector), 1, atol=1e-6)


def test_vectors_of_length_0_give_numbers():
    zero = np.zeros((3, 2), np.float32)
    for method in ("mean", "softmax"):
        np.testing.assert_array_equal(user_vector(zero, np.array([1]), method, cosine=True), [0, 0])
