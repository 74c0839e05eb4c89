"""RecBole's evaluator without its costs: one top-k a step, no dense positives, no rounding.

The metrics themselves are RecBole's classes, untouched; what they are given is the same.
"""

import torch
from recbole.evaluator import Collector, Evaluator

from recbole_dsl import shards

# What RecBole's own eval_batch_collect is still asked for.
_TOPK_RESOURCES = ("rec.items", "rec.topk")


class TopkCollector(Collector):
    """RecBole's collector, whose top-k resources come from one top-k and a sparse look-up.

    RecBole runs top-k twice when coverage metrics are on and builds a (U, I) integer matrix of the
    positives at each step. Every other resource (mean rank, scores, labels) RecBole collects.
    """

    def __init__(self, config):
        super().__init__(config)
        self._needs = {name for name in _TOPK_RESOURCES if self.register.need(name)}
        for name in self._needs:
            setattr(self.register, name, False)

    def eval_batch_collect(self, scores_tensor, interaction, positive_u, positive_i):
        """Collect from a step's scores (U, I) and the positives' rows and item ids, (P,) each."""
        if self._needs:
            k = max(self.topk)
            top = torch.topk(scores_tensor, k, dim=-1).indices  # (U, K)
            if "rec.items" in self._needs:
                self.data_struct.update_tensor("rec.items", top)
            if "rec.topk" in self._needs:
                rows, columns = positive_u.to(top.device), positive_i.to(top.device)
                users, items = scores_tensor.shape
                offset = torch.arange(users, device=top.device).unsqueeze(1) * items
                hit = torch.isin(top + offset, rows * items + columns)
                count = torch.bincount(rows, minlength=users).unsqueeze(1)
                result = torch.cat((hit.int(), count.int()), dim=1)
                self.data_struct.update_tensor("rec.topk", result)
        super().eval_batch_collect(scores_tensor, interaction, positive_u, positive_i)

    def get_data_struct(self):
        """What was collected, of the users of all processes."""
        return shards.gather(super().get_data_struct())


class _Unrounded:
    """The config as a metric sees it, with more decimals than a float has."""

    def __init__(self, config):
        self._config = config

    def __getitem__(self, key):
        return 20 if key == "metric_decimal_place" else self._config[key]

    def __contains__(self, key):
        return key in self._config

    def __getattr__(self, key):
        return getattr(self._config, key)


def unrounded_evaluator(config):
    """RecBole's Evaluator, reporting metrics to the last digit.

    RecBole rounds to ``metric_decimal_place`` before early stopping compares with >=, so that a
    change in the fifth digit counts as no change; here rounding is for display only.
    """
    return Evaluator(_Unrounded(config))


def plain_metrics(result):
    """Metric name -> Python float, in the order computed."""
    return {name: float(value) for name, value in result.items()}


def rounded(result, decimals):
    """The metrics as they are shown."""
    return {name: round(value, decimals) for name, value in result.items()}
