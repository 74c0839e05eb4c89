"""The command line of a user's own script, as RecBole reads it."""

import sys


def script_words() -> list[str]:
    """The words of this process's command line; none in a notebook."""
    return [] if "ipykernel_launcher" in sys.argv[0] else list(sys.argv)


def script_settings() -> list[tuple[str, str]]:
    """(key, text) of every ``--key=text``: what RecBole takes for settings, whoever calls it.

    Words of another form, such as ``-m BPR`` and ``--model BPR``, are for the script alone.
    """
    words = (word[2:] for word in script_words()[1:] if word.startswith("--") and "=" in word)
    return [(key, text) for key, _, text in (word.partition("=") for word in words) if key]
