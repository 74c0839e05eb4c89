"""The losses in a two-tower model of plain PyTorch: no RecBole, no trainer of this package.

    python examples/two_tower.py

Users and items have features, a tower turns each into a vector of unit length, and a loss sees
nothing but scores: those of the positives, (B,), and of M sampled negatives, (B, M).
"""

import torch
from torch.nn.functional import normalize

from recbole_dsl.losses import DSLLoss, SoftmaxLoss

USERS, ITEMS, TASTES, FEATURES = 2000, 1000, 8, 16
BATCH, NEGATIVES, STEPS = 512, 100, 300


def make_data(generator):
    """Features that hint at hidden tastes, and 20 items of each user's taste."""
    user_taste = torch.randint(TASTES, (USERS,), generator=generator)
    item_taste = torch.randint(TASTES, (ITEMS,), generator=generator)
    centres = torch.randn(TASTES, FEATURES, generator=generator)
    users = centres[user_taste] + torch.randn(USERS, FEATURES, generator=generator)
    items = centres[item_taste] + torch.randn(ITEMS, FEATURES, generator=generator)
    weights = (user_taste[:, None] == item_taste).float()
    chosen = torch.multinomial(weights, 20, generator=generator)  # (users, 20)
    return users, items, chosen


class TwoTower(torch.nn.Module):
    """A small network for users, and one for items."""

    def __init__(self, width=32):
        super().__init__()
        self.user_tower, self.item_tower = (
            torch.nn.Sequential(
                torch.nn.Linear(FEATURES, 64), torch.nn.ReLU(), torch.nn.Linear(64, width)
            )
            for _ in range(2)
        )

    def forward(self, users, items):
        return normalize(self.user_tower(users), dim=1), normalize(self.item_tower(items), dim=1)


def train(loss, users, items, chosen, generator):
    """Train on all but the last item of each user; Recall@20 of that one."""
    torch.manual_seed(1)
    model = TwoTower()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.003)
    for _ in range(STEPS):
        rows = torch.randint(USERS, (BATCH,), generator=generator)
        positives = chosen[rows, torch.randint(19, (BATCH,), generator=generator)]
        negatives = torch.randint(ITEMS, (BATCH, NEGATIVES), generator=generator)
        user_vectors, item_vectors = model(users[rows], items)
        scores = user_vectors @ item_vectors.T  # (B, I) cosines
        pos = scores.gather(1, positives[:, None]).squeeze(1)  # (B,)
        neg = scores.gather(1, negatives)  # (B, M)
        if "item_similarity" in loss.inputs:  # what DSL asks for where beta is not 0
            similarity = (item_vectors[positives] @ item_vectors.T).gather(1, negatives)
            value = loss(pos, neg, similarity.detach())
        else:
            value = loss(pos, neg)
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
    with torch.no_grad():
        user_vectors, item_vectors = model(users, items)
        scores = (user_vectors @ item_vectors.T).scatter(1, chosen[:, :19], -2.0)
        return (scores.topk(20).indices == chosen[:, 19:]).any(dim=1).float().mean().item()


def main():
    users, items, chosen = make_data(torch.Generator().manual_seed(0))
    print(f"by chance     Recall@20 {20 / (ITEMS - 19):.3f}")
    for loss in (SoftmaxLoss(tau=0.2), DSLLoss(tau=0.2, beta=-1.0)):
        generator = torch.Generator().manual_seed(2)
        recall = train(loss, users, items, chosen, generator)
        print(f"{type(loss).__name__:<12}  Recall@20 {recall:.3f}")


if __name__ == "__main__":
    main()
