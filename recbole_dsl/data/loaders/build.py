"""From the parts of a dataset to their samplers and loaders."""

from collections.abc import Sequence
from typing import Any

from recbole.config import Config
from recbole.data import create_samplers
from recbole.data.dataloader import FullSortEvalDataLoader, KnowledgeBasedDataLoader
from recbole.data.dataloader.abstract_dataloader import AbstractDataLoader
from recbole.data.dataset import Dataset
from recbole.data.utils import get_dataloader
from recbole.sampler import KGSampler
from recbole.utils import ModelType

from recbole_dsl.common.errors import UsageError
from recbole_dsl.data.loaders.full_sort import BatchedFullSortLoader
from recbole_dsl.data.loaders.train import PositivesLoader


def make_samplers(config: Config, dataset: Dataset, parts: Sequence[Dataset]) -> list[Any]:
    """RecBole's samplers of train, valid and test, or None each where nothing draws from them.

    Our models draw their own negatives; RecBole's samplers keep a set of items for every user.

    Raises:
        UsageError: RecBole cannot sample from this dataset.
    """
    unused = {"full", "labeled"}.issuperset(config["eval_args"]["mode"].values())
    if config.spec.is_pair and unused:
        return [None] * len(parts)
    try:
        return list(create_samplers(config, dataset, parts))
    except ValueError as error:
        raise UsageError(f"dataset {config['dataset']!r}: {error}") from error


def train_loader(
    config: Config, dataset: Dataset, part: Dataset, sampler: Any
) -> AbstractDataLoader:
    """The loader of the training part: of its positives for our models, else RecBole's."""
    if config.spec.is_pair:
        return PositivesLoader(config, part, sampler, shuffle=config["shuffle"])
    loader = get_dataloader(config, "train")
    if loader is KnowledgeBasedDataLoader or config["MODEL_TYPE"] == ModelType.KNOWLEDGE:
        arguments = config["train_neg_sample_args"]
        graph = KGSampler(dataset, arguments["distribution"], arguments["alpha"])
        return loader(config, part, sampler, graph, shuffle=True)
    return loader(config, part, sampler, shuffle=config["shuffle"])


def eval_loader(
    config: Config, phase: str, part: Dataset, sampler: Any, earlier: Sequence[Dataset]
) -> AbstractDataLoader | None:
    """The loader of a validation or test part, or None where it is empty.

    Args:
        phase: "valid" or "test". earlier: the parts before it, the first one first.
    """
    if len(part) == 0:
        return None
    loader = get_dataloader(config, phase)
    if loader is not FullSortEvalDataLoader:
        return loader(config, part, sampler, shuffle=False)
    masked = earlier
    if config["repeatable"]:  # users may meet an item again: RecBole masks nothing
        masked = []
    elif phase == "test" and config["mask_at_test"] == "train":
        masked = earlier[:1]
    return BatchedFullSortLoader(
        config, part, sampler, shuffle=False, masked=masked, earlier=earlier
    )
