"""From a request to its answer, by the ranking of a model."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from recbole_dsl.serving.ids import Ids
from recbole_dsl.serving.ranking import Ranking
from recbole_dsl.serving.service.messages import (
    Health,
    OfItem,
    OfUser,
    RecommendAnswer,
    RecommendForItemsAnswer,
    RecommendForItemsRequest,
    RecommendRequest,
    Request,
    ScoredItem,
    SimilarAnswer,
    SimilarRequest,
)
from recbole_dsl.serving.service.served_model import Loaded, ServedModel
from recbole_dsl.serving.top_k import Top

_NAMED = 3  # of unknown ids
_SHOWN = 60  # characters of one


class UnknownIdsError(Exception):
    """A request names ids that the model does not know, and has asked for an error then.

    Attributes:
        users, items: these ids.
    """

    def __init__(self, users: list[str], items: list[str]) -> None:
        self.users, self.items = users, items
        kinds = {"user": users, "item": items}
        super().__init__("; ".join(_sentence(kind, ids) for kind, ids in kinds.items() if ids))


def recommend(
    model: Loaded, requests: Sequence[RecommendRequest]
) -> list[RecommendAnswer | UnknownIdsError]:
    """As :meth:`recbole_dsl.serving.recommender.Recommender.recommend`, for several requests.

    Args:
        requests: at least one; of the same k, exclude and items.
    Returns:
        The answer to each, or why it is refused.
    Raises:
        UsageError: an unknown part, or items where there is an index.
    """
    ranking, first = model.recommender.ranking, requests[0]
    asked = [_users_of(ranking, request) for request in requests]
    users = [user for one in asked if isinstance(one, _Users) for user in one.users]
    allowed = None if first.items is None else _Known(ranking).items(first.items)
    blocks = ranking.of_users(users, first.k, exclude=first.exclude, items=allowed)
    lists = iter(_scored(ranking, (block.top for block in blocks)))
    return [
        one
        if isinstance(one, UnknownIdsError)
        else RecommendAnswer(
            checkpoint=model.version,
            unknown_users=one.known.unknown_users,
            unknown_items=one.known.unknown_items,
            users=[OfUser(user=user, items=next(lists)) for user in one.users],
        )
        for one in asked
    ]


def recommend_for_items(
    model: Loaded, request: RecommendForItemsRequest
) -> RecommendForItemsAnswer:
    """As :meth:`recbole_dsl.serving.recommender.Recommender.recommend_for_items`.

    Where none of the items is known, nothing is recommended.

    Raises:
        UnknownIdsError: as asked. UsageError: allowed items where there is an index.
    """
    ranking = model.recommender.ranking
    known = _Known(ranking)
    given, allowed = known.items(request.items), known.items_or_all(request.items_allowed)
    known.check(request)
    found: list[ScoredItem] = []
    if given:
        top = ranking.for_items(given, request.k, method=request.method, items_allowed=allowed)
        (found,) = _scored(ranking, [top])
    return RecommendForItemsAnswer(
        checkpoint=model.version,
        unknown_users=[],
        unknown_items=known.unknown_items,
        items=found,
    )


def similar(model: Loaded, request: SimilarRequest) -> SimilarAnswer:
    """As :meth:`recbole_dsl.serving.recommender.Recommender.similar_items`.

    Raises:
        UnknownIdsError: as asked.
    """
    ranking = model.recommender.ranking
    known = _Known(ranking)
    items = known.items(request.items)
    known.check(request)
    lists = _scored(ranking, (block.top for block in ranking.similar(items, request.k)))
    return SimilarAnswer(
        checkpoint=model.version,
        unknown_users=[],
        unknown_items=known.unknown_items,
        items=[OfItem(item=item, similar=of) for item, of in zip(items, lists, strict=True)],
    )


def health(model: ServedModel) -> Health:
    """Which model answers, and whether the last reload has failed."""
    loaded = model.current
    recommender, meta = loaded.recommender, loaded.recommender.meta
    return Health(
        status="ok",
        model=meta["model"],
        dataset=meta["dataset"],
        epoch=meta["epoch"],
        score=meta["score"],
        users=len(recommender.users),
        items=len(recommender.items),
        dimensions=recommender.item_vectors.shape[1],
        index=recommender.ranking.candidates.search is not None,
        checkpoint=loaded.version,
        loaded=loaded.time,
        reload_error=model.error,
    )


class _Users(NamedTuple):
    """The users of a request, and what it names that is not known."""

    users: list[str]
    known: "_Known"


def _users_of(ranking: Ranking, request: RecommendRequest) -> "_Users | UnknownIdsError":
    known = _Known(ranking)
    users = known.users(request.users)
    known.items(request.items or [])
    try:
        known.check(request)
    except UnknownIdsError as error:
        return error
    return _Users(users, known)


class _Known:
    """Leaves out the ids that a model does not know, and keeps them.

    Attributes:
        unknown_users, unknown_items: what was left out.
    """

    def __init__(self, ranking: Ranking) -> None:
        self._ranking = ranking
        self.unknown_users: list[str] = []
        self.unknown_items: list[str] = []

    def users(self, given: list[str]) -> list[str]:
        """The known ones."""
        return _without(given, self._ranking.user_ids, self.unknown_users)

    def items(self, given: list[str]) -> list[str]:
        """The known ones."""
        return _without(given, self._ranking.item_ids, self.unknown_items)

    def items_or_all(self, given: list[str] | None) -> list[str] | None:
        """The known ones; None stays None, all items."""
        return None if given is None else self.items(given)

    def check(self, request: Request) -> None:
        """Refuse the request where something was left out, unless it is to be reported."""
        if request.unknown == "error" and (self.unknown_users or self.unknown_items):
            raise UnknownIdsError(self.unknown_users, self.unknown_items)


def _without(given: list[str], ids: Ids, unknown: list[str]) -> list[str]:
    missing = ids.unknown(given)
    if not missing:
        return given
    unknown += missing
    left_out = set(missing)
    return [text for text in given if text not in left_out]


def _scored(ranking: Ranking, tops: Iterable[Top]) -> list[list[ScoredItem]]:
    """The items and scores of each query."""
    ids = ranking.item_ids.ids
    return [
        [
            ScoredItem(item=item, score=score)
            for item, score in zip(ids[places[places >= 0]], scores.tolist(), strict=False)
        ]
        for top in tops
        for places, scores in zip(top.items, top.scores, strict=True)
    ]


def _sentence(kind: str, ids: list[str]) -> str:
    shown = ", ".join(
        repr(text if len(text) <= _SHOWN else f"{text[:_SHOWN]}...") for text in ids[:_NAMED]
    )
    if len(ids) == 1:
        return f"the model knows no {kind} {shown}"
    more = ", ..." if len(ids) > _NAMED else ""
    return f"the model does not know {len(ids):,} {kind}s: {shown}{more}"
