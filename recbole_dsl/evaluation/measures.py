"""What an evaluation measures: what is collected of each user, and the metrics made of it."""

from typing import Any, NamedTuple

from recbole.evaluator import Evaluator

from recbole_dsl.evaluation.collector import TopkCollector
from recbole_dsl.evaluation.evaluator import unrounded_evaluator


class Measures(NamedTuple):
    """A collector and the evaluator of what it collects.

    Attributes:
        collector: collects what the metrics need.
        evaluator: RecBole's Evaluator, unrounded; its ``metric_class`` has the metrics by name.
    """

    collector: TopkCollector
    evaluator: Evaluator

    @classmethod
    def of(cls, config: Any) -> "Measures":
        """The measures of a config: its ``metrics`` at its ``topk``."""
        return cls(TopkCollector(config), unrounded_evaluator(config))
