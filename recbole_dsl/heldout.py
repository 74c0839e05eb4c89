"""Whom an evaluation asks about, what they should get and what is masked. Imports torch only."""

import copy

import torch

from recbole_dsl.positives import UserPositives


class HeldOut:
    """The users of a validation or test part, with their positives and their history.

    As RecBole counts them: the positives are the part's items, each once; the history is every item
    of the earlier parts that is not among the positives.

    Args:
        users, items: (E,) int64. Interactions of the part.
        earlier: list of (users, items) of the parts whose items are masked.
        n_users, n_items: U and I, the padding ids 0 included.

    Attributes:
        users: (N,) int64. Distinct users of the part, ascending.
        positives, history: :class:`recbole_dsl.positives.UserPositives`.
    """

    def __init__(self, users, items, earlier, n_users, n_items):
        size = (n_users, n_items)
        self.users = torch.unique(users)
        self.positives = UserPositives(users, items, *size)
        tested = torch.zeros(n_users, dtype=torch.bool)
        tested[self.users] = True
        kept = [(users.new_empty(0), items.new_empty(0))]
        for seen_users, seen_items in earlier:
            asked = tested[seen_users]
            seen_users, seen_items = seen_users[asked], seen_items[asked]
            other = ~self.positives.contain(seen_users, seen_items)
            kept.append((seen_users[other], seen_items[other]))
        seen_users, seen_items = (torch.cat(column) for column in zip(*kept, strict=True))
        self.history = UserPositives(seen_users, seen_items, *size)

    def __len__(self):
        return len(self.users)

    def part(self, start, stop):
        """The same with users ``start`` to ``stop`` of them alone, as one of several processes."""
        some = copy.copy(self)
        some.users = self.users[start:stop]
        return some

    def to(self, device):
        """The same on a device; itself where it is there already."""
        device = torch.device(device)
        if self.users.device == device:
            return self
        moved = copy.copy(self)
        moved.users = self.users.to(device)
        # Module.to works in place, and this one stays where it is
        moved.positives = copy.deepcopy(self.positives).to(device)
        moved.history = copy.deepcopy(self.history).to(device)
        return moved
