"""What a run says on the terminal; all else that is logged goes to its log file alone."""

import logging

# Records of this logger are for the terminal too; it hands them on to the root logger.
LOGGER = "recbole_dsl.terminal"


def say(text: str) -> None:
    """Log a line that is shown on the terminal also where the run is not ``verbose``."""
    logging.getLogger(LOGGER).info(text)
