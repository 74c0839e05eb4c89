"""A Config on RecBole's own example dataset, as tests of settings make it."""

from recbole_dsl.config.run_config import Config


def config_of(model="MF_SL", *arguments, files=None, **config_dict):
    """A Config with words of the command line, each ``key=text``, files and a dict of settings."""
    pairs = [argument.split("=", 1) for argument in arguments]
    return Config(model, "ml-100k", files, config_dict, pairs)
