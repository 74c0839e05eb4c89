"""A RecBole config with other values for some settings."""

from typing import Any


class SettingsOverride:
    """A config with other values for some settings, as RecBole's classes read it.

    Args:
        config: a RecBole Config, left as it is.
        changes: setting -> value.
    """

    def __init__(self, config: Any, **changes: Any) -> None:
        self._config, self._changes = config, changes

    def __getitem__(self, key: str) -> Any:
        return self._changes[key] if key in self._changes else self._config[key]

    def __contains__(self, key: str) -> bool:
        return key in self._changes or key in self._config

    def __getattr__(self, key: str) -> Any:
        return getattr(self._config, key)
