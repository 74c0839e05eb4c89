"""A backbone of one's own, with any loss.

    python examples/own_backbone.py

It gets the training rows and gives the vectors of all users and items. Negatives, scores, training,
evaluation, checkpoints and serving are this package's.
"""

import torch

import recbole_dsl


class Tower(torch.nn.Module):
    """Embeddings of users and of items, each through a layer of its own."""

    paper = "Covington et al., RecSys 2016"

    def __init__(self, users, items, n_users, n_items, *, width: int = 32):
        super().__init__()
        self.user_embedding = torch.nn.Embedding(n_users, width)
        self.item_embedding = torch.nn.Embedding(n_items, width)
        self.user_layer = torch.nn.Linear(width, width)
        self.item_layer = torch.nn.Linear(width, width)

    def embed(self):  # -> (U, D), (I, D); row 0 is padding
        users = self.user_layer(self.user_embedding.weight)
        return users, self.item_layer(self.item_embedding.weight)


def main():
    recbole_dsl.register_backbone("Tower", Tower)
    settings = {"epochs": 5, "learning_rate": 0.01, "train_neg_sample_args": {"sample_num": 100}}
    for model in ("Tower_SL", "Tower_DSL"):
        result = recbole_dsl.run(model, "ml-100k", config_dict=settings)
        print(f"{model:<10} test NDCG@10 {result['test']['ndcg@10']:.4f}")
    recommender = recbole_dsl.load_recommender(result["checkpoint"])
    print(recommender.similar_items(["50"], k=3))


if __name__ == "__main__":
    main()
