"""Every setting of a model with its value, type, meaning and layer, for people to read.

Meanings come from the comments of the property files, types from the schema that checks values.
"""

from typing import Any, NamedTuple

from recbole_dsl.config.comments import Comment
from recbole_dsl.config.run_config import Config, plain_data
from recbole_dsl.config.schema import Schema


class Setting(NamedTuple):
    """A setting of a run.

    Attributes:
        name: as in ``--name=value``.
        value: what the layers give it, as plain data.
        type: what values it may have, in the words of :mod:`value_types`; "" where nothing is said.
        meaning: from the comments of the property files, "" where those say nothing.
        layer: where the value comes from, such as ``properties/loss/SL.yaml``.
    """

    name: str
    value: Any
    type: str
    meaning: str
    layer: str


def settings_table(config: Config) -> list[Setting]:
    """Every setting of a Config's model that a layer gives a value, in the order of the layers.

    What RecBole derives from them is left out. The meaning of a map such as
    ``train_neg_sample_args`` goes on with those of its keys.
    """
    schema = config.schema
    return [
        Setting(
            name,
            plain_data(value),
            schema.words(name),
            _meaning(name, value, schema),
            config.origins[name],
        )
        for name, value in config.layered.items()
    ]


def _meaning(name: str, value: Any, schema: Schema) -> str:
    """What a setting means, and what the keys of a map do."""
    none = Comment("", "")
    meaning = schema.comments.get((name,), none).meaning
    keys = [
        f"{key} ({words}): {schema.comments[name, key].meaning}"
        for key in (value if isinstance(value, dict) else ())
        if (name, key) in schema.comments and (words := schema.words(name, key))
    ]
    return " ".join([meaning.rstrip(".") + ".", *keys]) if keys else meaning
