"""What a service is asked and what it answers, as pydantic checks it and OpenAPI describes it."""

from typing import Annotated, Literal, NamedTuple

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from pydantic.json_schema import WithJsonSchema
from typing_extensions import Self, TypedDict

from recbole_dsl.common.errors import did_you_mean

_ID_LENGTH = 1_024  # characters
_PART_LENGTH = 64
_DEFAULT_K = 10
_SHOWN = 60  # characters of a wrong value
_ERRORS = 3  # of a request that are named


class Limits(NamedTuple):
    """What one request may ask for.

    Attributes:
        max_k: items of a user, or of an item.
        max_ids: ids of a list.
        max_rows: ids times k, which are the rows of an answer.
        max_body: bytes.
    """

    max_k: int = 1_000
    max_ids: int = 10_000
    max_rows: int = 100_000
    max_body: int = 1 << 20


# Requests ----------------------------------------------------------------------------------------


def _as_id(value: object) -> object:
    """Integers stand for their digits, as in :mod:`recbole_dsl.serving.ids`."""
    if isinstance(value, str):
        return value
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 1 << 64:
        return str(value)
    raise ValueError("an id must be a text or an integer")


Id = Annotated[
    str,
    Field(max_length=_ID_LENGTH),
    BeforeValidator(_as_id),
    WithJsonSchema({"anyOf": [{"type": "string", "maxLength": _ID_LENGTH}, {"type": "integer"}]}),
]
Part = Annotated[str, Field(max_length=_PART_LENGTH)]
Exclude = Annotated[
    Part | Annotated[list[Part], Field(max_length=_PART_LENGTH)] | None,
    Field(
        description="whose items are not recommended to their user: seen, those of all parts of "
        "the data; a part or several, such as train; null: nothing"
    ),
]
Method = Annotated[
    Literal["softmax", "mean"],
    Field(description="how the new user's vector is made from those of the items: softmax is "
          "better, and takes 20 passes over all items; mean takes none"),
]  # fmt: skip
Unknown = Annotated[
    Literal["error", "report"],
    Field(description="what becomes of ids that the model does not know: error, 404; or report, "
          "left out and named in the answer"),
]  # fmt: skip


class Request(BaseModel):
    """What all requests have."""

    model_config = ConfigDict(extra="forbid", strict=True)

    k: int
    unknown: Unknown = "error"

    def queries(self) -> int:
        """For how many users or items k items are asked."""
        return 1


class RecommendRequest(Request):
    """The best items of users."""

    users: list[Id]
    exclude: Exclude = "seen"
    items: list[Id] | None = None

    def queries(self) -> int:
        """Users."""
        return len(self.users)


class RecommendForItemsRequest(Request):
    """The best items for a new user, who is known by some items alone."""

    items: list[Id]
    method: Method = "softmax"
    items_allowed: list[Id] | None = None


class SimilarRequest(Request):
    """The items whose vectors have the largest cosine with that of each item."""

    items: list[Id]

    def queries(self) -> int:
        """Items."""
        return len(self.items)


class RequestTypes(NamedTuple):
    """The requests, bounded."""

    recommend: type[RecommendRequest]
    recommend_for_items: type[RecommendForItemsRequest]
    similar: type[SimilarRequest]


def request_types(limits: Limits) -> RequestTypes:
    """The requests that a service of these limits accepts."""
    default = min(_DEFAULT_K, limits.max_k)
    K = Annotated[int, Field(ge=1, le=limits.max_k)]
    Ids = Annotated[list[Id], Field(min_length=1, max_length=limits.max_ids)]
    Allowed = Annotated[
        list[Id] | None,
        Field(max_length=limits.max_ids, description="items that may be recommended; null: all"),
    ]

    class Bounded(Request):
        k: K = default

        @model_validator(mode="after")
        def _check_rows(self) -> Self:
            if (rows := self.queries() * self.k) > limits.max_rows:
                raise ValueError(f"{rows:,} rows are asked for, ids times k; at most "
                                 f"{limits.max_rows:,} are answered")  # fmt: skip
            return self

    class Recommend(Bounded, RecommendRequest):
        users: Ids
        items: Allowed = None

    class RecommendForItems(Bounded, RecommendForItemsRequest):
        items: Ids
        items_allowed: Allowed = None

    class Similar(Bounded, SimilarRequest):
        items: Ids

    return RequestTypes(Recommend, RecommendForItems, Similar)


def what_is_wrong(error: ValidationError, request: type[Request]) -> str:
    """One line on a request that is refused: where, what, and the value received if it is short."""
    lines = []
    for one in error.errors(include_url=False, include_context=False)[:_ERRORS]:
        where = repr(".".join(map(str, one["loc"])))[1:-1]
        text = one["msg"].removeprefix("Value error, ")
        if one["type"] == "extra_forbidden":
            known = request.model_fields
            text = f"no such field{did_you_mean(where[:_PART_LENGTH], known)}"
            where = f"{where[:_SHOWN]} (known: {', '.join(known)})"
        elif isinstance(one["input"], (str, int, float)) and one["type"] != "json_invalid":
            shown = repr(one["input"])
            text += f", got {shown if len(shown) <= _SHOWN else f'{shown[:_SHOWN]}...'}"
        lines.append(f"{where}: {text}" if where else text)
    more = error.error_count() - len(lines)
    return "; ".join(lines) + (f"; and {more:,} more" if more else "")


# Answers -----------------------------------------------------------------------------------------


class ScoredItem(TypedDict):
    """An item and its score, the best one first in a list."""

    item: str
    score: float


class OfUser(TypedDict):
    """The items for a user: fewer than k where no more are left."""

    user: str
    items: list[ScoredItem]


class OfItem(TypedDict):
    """The items similar to one."""

    item: str
    similar: list[ScoredItem]


class Answer(TypedDict):
    """What all answers have.

    Attributes:
        checkpoint: the first digits of the digest of the checkpoint that has answered.
        unknown_users, unknown_items: what is left out because the model does not know it.
    """

    checkpoint: str
    unknown_users: list[str]
    unknown_items: list[str]


class RecommendAnswer(Answer):
    """Users in the order of the request."""

    users: list[OfUser]


class RecommendForItemsAnswer(Answer):
    """Items for the new user."""

    items: list[ScoredItem]


class SimilarAnswer(Answer):
    """Items in the order of the request."""

    items: list[OfItem]


class Refusal(TypedDict):
    """Why a request is refused, in one line."""

    detail: str


class UnknownRefusal(Refusal):
    """A refusal with the ids that the model does not know."""

    unknown_users: list[str]
    unknown_items: list[str]


class Health(TypedDict):
    """Of the service; ``checkpoint`` as in answers, ``loaded`` in UTC."""

    status: Literal["ok"]
    model: str
    dataset: str
    epoch: int | None
    score: str
    users: int
    items: int
    dimensions: int
    index: bool
    checkpoint: str
    loaded: str
    reload_error: str | None
