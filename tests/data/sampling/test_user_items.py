import torch

from recbole_dsl.data.sampling.user_items import UserPositives

USERS = torch.tensor([3, 1, 1, 3, 3, 1])
ITEMS = torch.tensor([2, 4, 1, 5, 2, 4])  # (1, 4) and (3, 2) twice
POSITIVES = UserPositives(USERS, ITEMS, 5, 6)
TABLE = torch.zeros(5, 6, dtype=torch.bool)
TABLE[USERS, ITEMS] = True


def test_the_positives_of_users_in_any_order_with_repeats_and_without_any():
    rows, items = POSITIVES.of(torch.tensor([3, 2, 1, 3]))
    assert rows.tolist() == [0, 0, 2, 2, 3, 3]
    assert items.tolist() == [2, 5, 1, 4, 2, 5]


def test_contain_agrees_with_the_table():
    users, items = torch.meshgrid(torch.arange(5), torch.arange(6), indexing="ij")
    found = POSITIVES.contain(users.flatten(), items.flatten())
    assert torch.equal(found.view(5, 6), TABLE)


def test_among_agrees_with_the_table(synchronous):
    users, items = torch.tensor([3, 0, 1, 3]), torch.tensor([2, 2, 5, 0, 4])
    assert torch.equal(POSITIVES.among(users, items), TABLE[users][:, items])


def test_nothing_is_kept_in_a_checkpoint():
    assert not POSITIVES.state_dict()
