"""False positives: interactions that never were, for training on. Imports torch only."""

import torch

from recbole_dsl.sampling import NegativeSampler


def false_positives(users, known, n_users, n_items, *, share, seed):
    """Random unobserved interactions, as many as a share of the training rows.

    Each belongs to the user of a training row drawn uniformly, so that a user gets noise in
    proportion to the user's rows, and to an item drawn uniformly among those that the user has in
    none of the parts. All are distinct.

    Args:
        users: (N,) int64. The user of each training row.
        known: (users, items), (E,) int64 each. The interactions of all parts: what a user will do
            in the test part is no noise.
        n_users, n_items: U and I, the padding ids 0 included.
        share: K = round(share * N) interactions are drawn, share >= 0.
        seed: of a generator of their own.
    Returns:
        (rows, items), (K,) int64 each: a training row of the interaction's user, and its item.
    Raises:
        ValueError: K is more than half of the unobserved pairs of the users, so that a share of
            them would no longer be random; or a user has every item.
    Source: the share of training rows as in SGL's study of robustness (Wu et al., SIGIR 2021),
    which BSL (Wu et al., ICDE 2024) follows for noisy positives.
    """
    wanted = round(share * len(users))
    present = torch.unique(users)
    sampler = NegativeSampler(
        *known, n_users, n_items, distribution="uniform", alpha=0.0, seed=seed
    )
    free = int((n_items - 1 - sampler.positives.counts[present]).sum())
    if 2 * wanted > free:
        raise ValueError(
            f"false_positive {share} means {wanted:,} interactions, more than half of the {free:,} "
            "pairs that are not in the data"
        )
    rows, items = users.new_empty(0), users.new_empty(0)
    while len(rows) < wanted:
        missing = wanted - len(rows)
        new = torch.randint(len(users), (missing,), generator=sampler.generator)
        drawn = sampler.direct(users[new], 1).squeeze(1)
        rows, items = torch.cat([rows, new]), torch.cat([items, drawn])
        first = _first_of_each(users[rows] * n_items + items)
        rows, items = rows[first], items[first]
    return rows, items


def _first_of_each(codes):
    """Where each distinct value of (N,) codes stands first, ascending."""
    distinct, group = torch.unique(codes, return_inverse=True)
    place = torch.full_like(distinct, len(codes))
    place.scatter_reduce_(0, group, torch.arange(len(codes)), reduce="amin")
    return place.sort().values
