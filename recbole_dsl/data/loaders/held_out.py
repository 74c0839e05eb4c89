"""The users of an evaluation, their positives and the items masked for them. Knows no RecBole."""

import copy
from collections.abc import Sequence

import torch

from recbole_dsl.data.sampling.user_items import UserPositives


class HeldOut:
    """The users of a validation or test part, with their positives and their history.

    As RecBole counts them: the positives are the part's items, each once; the history, which is
    masked, is every item of the earlier parts that is not among the positives.

    Args:
        users, items: (E,) int64. Interactions of the part.
        earlier: (users, items) of each part whose items are masked.
        n_users, n_items: U and I, the padding ids 0 included.

    Attributes:
        users: (N,) int64. Distinct users of the part, ascending.
        positives, history: :class:`recbole_dsl.data.sampling.user_items.UserPositives`.
    """

    def __init__(
        self,
        users: torch.Tensor,
        items: torch.Tensor,
        earlier: Sequence[tuple[torch.Tensor, torch.Tensor]],
        n_users: int,
        n_items: int,
    ) -> None:
        size = (n_users, n_items)
        self.users = torch.unique(users)
        self.positives = UserPositives(users, items, *size)
        tested = torch.zeros(n_users, dtype=torch.bool)
        tested[self.users] = True
        kept = [(users.new_empty(0), items.new_empty(0))]
        for seen_users, seen_items in earlier:
            of_tested = tested[seen_users]
            seen_users, seen_items = seen_users[of_tested], seen_items[of_tested]
            other = ~self.positives.contain(seen_users, seen_items)
            kept.append((seen_users[other], seen_items[other]))
        seen_users, seen_items = (torch.cat(column) for column in zip(*kept, strict=True))
        self.history = UserPositives(seen_users, seen_items, *size)

    def __len__(self) -> int:
        return len(self.users)

    def to(self, device: torch.device | str) -> "HeldOut":
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
