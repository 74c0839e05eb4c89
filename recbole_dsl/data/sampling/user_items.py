"""Each user's positives as a CSR list, on the device."""

import torch

from recbole_dsl.common import tensors


class UserPositives(torch.nn.Module):
    """The distinct items of every user, for looking up many users at once.

    Args:
        users, items: (E,) int64. Training interactions; repeated pairs count once.
        n_users, n_items: U and I, the padding ids 0 included.

    Attributes:
        items: (P,) int64. Items by user, ascending within a user.
        codes: (P,) int64. user * I + item of the same pairs, ascending.
        starts, counts: (U,) int64. Where a user's items begin, and how many there are.
        most: the largest count, at least 1.
    """

    codes: torch.Tensor
    items: torch.Tensor
    starts: torch.Tensor
    counts: torch.Tensor

    def __init__(
        self, users: torch.Tensor, items: torch.Tensor, n_users: int, n_items: int
    ) -> None:
        super().__init__()
        pairs = torch.unique(users * n_items + items)  # sorted by user, then item
        counts = torch.bincount(pairs // n_items, minlength=n_users)
        self.n_items = n_items
        self.most = max(int(counts.max()), 1)
        for name, value in (
            ("codes", pairs),
            ("items", pairs % n_items),
            ("starts", counts.cumsum(0) - counts),
            ("counts", counts),
        ):
            self.register_buffer(name, value, persistent=False)

    def of(self, users: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The positives of (B,) users, flat: (rows, items), both (P,), rows in [0, B)."""
        counts = self.counts[users]
        rows = torch.repeat_interleave(torch.arange(len(users), device=users.device), counts)
        first = counts.cumsum(0) - counts  # where each row's items begin in the flat list
        offset = torch.arange(len(rows), device=users.device) - first[rows]
        return rows, self.items[self.starts[users][rows] + offset]

    def padded(self, users: torch.Tensor) -> torch.Tensor:
        """The positives of (B,) users, (B, most) int64; 0, the padding item, after the last one."""
        place = torch.arange(self.most, device=users.device)
        index = self.starts[users].unsqueeze(1) + place
        found = self.items[index.clamp_(max=len(self.items) - 1)]
        return found.masked_fill_(place >= self.counts[users].unsqueeze(1), 0)

    def contain(self, users: torch.Tensor, items: torch.Tensor) -> torch.Tensor:
        """Whether each (user, item) pair is a positive: bool, of the shape both broadcast to."""
        codes = users * self.n_items + items
        place = torch.searchsorted(self.codes, codes).clamp_(max=len(self.codes) - 1)
        return self.codes[place] == codes

    def among(self, users: torch.Tensor, items: torch.Tensor) -> torch.Tensor:
        """Which of C items are positives of each of B users: (B,), (C,) -> (B, C) bool."""
        if not tensors.is_synchronous(users.device):  # B C searches; unique() would be awaited
            return self.contain(users.unsqueeze(1), items)
        distinct, column = torch.unique(items, return_inverse=True)  # sorted
        rows, found = self.of(users)
        place = torch.searchsorted(distinct, found).clamp_(max=len(distinct) - 1)
        hit = distinct[place] == found
        table = torch.zeros(len(users), len(distinct), dtype=torch.bool, device=items.device)
        table[rows[hit], place[hit]] = True
        return table[:, column]
