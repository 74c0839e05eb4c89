"""The Weights & Biases run of a run, where ``log_wandb`` is on."""

import contextlib
from collections.abc import Iterator

from recbole_dsl.common.errors import UsageError
from recbole_dsl.config.run_config import Config


@contextlib.contextmanager
def wandb_run(config: Config) -> Iterator[None]:
    """A W&B run with all settings, begun and ended with the block.

    RecBole's trainer begins one too, but only where there is none, and leaves it open: a second run
    of the same process would write into it. One that the user has begun is written to and left.

    Raises:
        UsageError: W&B refuses, as where nobody is logged in.
    """
    if not config["log_wandb"]:
        yield
        return
    import wandb

    if wandb.run is not None:
        yield
        return
    settings = {key: setting["value"] for key, setting in config.settings().items()}
    try:
        wandb.init(project=config["wandb_project"], config=settings)
    except wandb.errors.Error as error:
        raise UsageError(f"log_wandb: Weights & Biases says: {error}") from error
    try:
        yield
    except BaseException:
        wandb.finish(exit_code=1)
        raise
    wandb.finish()
