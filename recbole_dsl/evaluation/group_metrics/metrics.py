"""The group metrics that are added to RecBole's tables; each class of this module is one.

Usable in ``metrics`` of a run, which measures them in each validation too; ``group_metrics`` alone
measures them on the test sets.
"""

import numpy as np
from recbole.evaluator.collector import DataStruct

from recbole_dsl.evaluation.group_metrics import base
from recbole_dsl.evaluation.metrics import item_groups


class ItemPopularityGroups(base.GroupMetric):
    """What each group of items gets: contribution to NDCG, recall and hit within it, exposure.

    Definitions: :mod:`recbole_dsl.evaluation.metrics.item_groups`.
    """

    grouping = "item_popularity"
    metric_need = ["rec.items", "rec.topk", "rec.group_positives", "data.item_popularity"]

    def metric_names(self) -> list[str]:
        return [f"{name}@{k}" for name in ("ndcg", "recall", "hit", "exposure") for k in self.topk]

    def by_group(self, dataobject: DataStruct) -> dict[str, np.ndarray]:
        groups = dataobject.get("data.item_popularity")
        n_groups = len(groups.names)
        hit = dataobject.get("rec.topk")[:, : max(self.topk)].bool().numpy()
        positives = dataobject.get("rec.group_positives").numpy()
        group = groups.member[dataobject.get("rec.items").numpy()]
        found = {}
        for k in self.topk:
            hits = item_groups.hits_by_group(group, hit, n_groups, k)
            found[f"ndcg@{k}"] = item_groups.ndcg_contribution(group, hit, positives, k)
            found[f"recall@{k}"] = item_groups.group_recall(hits, positives)
            found[f"hit@{k}"] = item_groups.group_hit(hits, positives)
            found[f"exposure@{k}"] = item_groups.exposure(group, n_groups, k)
        users = (positives > 0).sum(axis=0)
        return {"users": users, **{name: found[name] for name in self.metric_names()}}


class UserActivityGroups(base.UserGroupMetric):
    """The run's metrics of single users by their number of training rows."""

    grouping = "user_activity"
    metric_need = ["rec.topk", "rec.users", "data.user_activity"]


class UserFieldGroups(base.UserGroupMetric):
    """The run's metrics of single users by a field of the .user file."""

    grouping = "user_field"
    metric_need = ["rec.topk", "rec.users", "data.user_field"]
