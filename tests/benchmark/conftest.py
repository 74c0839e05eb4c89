"""A dataset on which a run of the quickest models takes a fraction of a second."""

import random

import pytest


@pytest.fixture
def tiny(make_dataset):
    """40 users with 12 to 20 of 60 items each; the items differ in popularity."""
    draw = random.Random(0)
    weights = [1 / (item + 3) for item in range(60)]
    pairs = []
    for user in range(40):
        liked = {draw.choices(range(60), weights)[0] for _ in range(200)}
        pairs += [(f"u{user}", f"i{item}") for item in sorted(liked)[: 12 + user % 9]]
    return make_dataset("tiny", pairs)
