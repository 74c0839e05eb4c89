"""The service: its addresses, a request's way to its answer, and what becomes of a wrong one.

Bodies are read here and not by FastAPI: bounded in size and time, and checked, answered and written
by a thread of a pool, so that no request keeps the event loop from the others.
"""

import asyncio
import functools
import inspect
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from fastapi import FastAPI, HTTPException
from fastapi import Request as HttpRequest
from fastapi.responses import JSONResponse, Response
from fastapi_offline import FastAPIOffline
from pydantic import ValidationError
from pydantic_core import to_json
from starlette.requests import ClientDisconnect

from recbole_dsl._version import __version__
from recbole_dsl.common.errors import UsageError
from recbole_dsl.serving.service import answers
from recbole_dsl.serving.service.answers import UnknownIdsError
from recbole_dsl.serving.service.messages import (
    Answer,
    Health,
    Limits,
    RecommendAnswer,
    RecommendForItemsAnswer,
    RecommendRequest,
    Refusal,
    Request,
    SimilarAnswer,
    UnknownRefusal,
    request_types,
    what_is_wrong,
)
from recbole_dsl.serving.service.served_model import Loaded, ServedModel
from recbole_dsl.serving.service.together import Together

BODY_SECONDS = 30.0
_SMALL = 4_096  # bytes of a body that is checked at once, in some 10 microseconds
_FEW = 16  # users of a request that is answered together with others
_REFUSALS: dict[int | str, dict[str, Any]] = {
    404: {"model": UnknownRefusal, "description": "ids that the model does not know"},
    408: {"model": Refusal, "description": "the body has not come in time"},
    413: {"model": Refusal, "description": "the body is too large"},
    422: {"model": Refusal, "description": "the body is not such a request"},
}

R = TypeVar("R", bound=Request)
T = TypeVar("T")


class Service:
    """Answers requests by a model.

    Args:
        limits: of a request. threads: that compute; further requests wait.
        body_seconds: that a body may take to come.
    """

    def __init__(
        self,
        model: ServedModel,
        limits: Limits,
        threads: int,
        body_seconds: float = BODY_SECONDS,
    ) -> None:
        self.kinds = request_types(limits)
        self._model, self._limits, self._body_seconds = model, limits, body_seconds
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="answer")
        self._together = Together(self._pool, threads, functools.partial(_recommended, model))

    async def recommend(self, request: HttpRequest) -> Response:
        """Equal scores are in the order of the items; who has fewer than k left gets those."""
        asked = await self._asked(self.kinds.recommend, request)
        if asked.items is not None or len(asked.users) > _FEW:
            return _json(await self._in_pool(_recommended_alone, self._model, asked))
        # Few users, among all items: ranked together with those of other requests.
        parts = asked.exclude
        key = asked.k, tuple(parts) if isinstance(parts, list) else parts
        answer = await self._together.ask(key, asked)
        if isinstance(answer, UnknownIdsError):
            raise answer
        return _json(answer)

    async def recommend_for_items(self, request: HttpRequest) -> Response:
        """A fold-in: a vector is made from those of the items, and nothing is trained.

        The items themselves are not recommended.
        """
        asked = await self._asked(self.kinds.recommend_for_items, request)
        answer = answers.recommend_for_items
        return _json(await self._in_pool(_answered, self._model, answer, asked))

    async def similar(self, request: HttpRequest) -> Response:
        """The cosine also where the model's scores are inner products."""
        asked = await self._asked(self.kinds.similar, request)
        return _json(await self._in_pool(_answered, self._model, answers.similar, asked))

    async def health(self) -> Health:
        """Which model answers, since when, and why the last reload has failed if it has."""
        return answers.health(self._model)

    def close(self) -> None:
        """Begin no further request."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def _in_pool(self, work: Callable[..., T], *given: object) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._pool, work, *given)

    async def _asked(self, kind: type[R], request: HttpRequest) -> R:
        """A request of this kind from the body of one over HTTP."""
        body = await self._body(request)
        if len(body) > _SMALL:
            return await self._in_pool(_checked, kind, body)
        return _checked(kind, body)

    async def _body(self, request: HttpRequest) -> bytes:
        most, seconds = self._limits.max_body, self._body_seconds
        too_large = HTTPException(413, f"the body must have at most {most:,} bytes")
        length = request.headers.get("content-length", "")
        if length.isdecimal() and (len(length) > 18 or int(length) > most):
            raise too_large

        async def read() -> bytes:
            parts, size = [], 0
            async for part in request.stream():
                size += len(part)
                if size > most:
                    raise too_large
                parts.append(part)
            return b"".join(parts)

        try:
            return await asyncio.wait_for(read(), seconds)
        except asyncio.TimeoutError:
            raise HTTPException(408, f"the body has not come in {seconds:g} seconds") from None
        except ClientDisconnect:  # nobody reads the answer
            raise HTTPException(400, "the client has gone") from None


def create_app(service: Service) -> FastAPI:
    """The addresses of a service, and their description."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        yield
        service.close()

    app: FastAPI = FastAPIOffline(  # whose /docs asks no other machine for its scripts
        title="recbole_dsl",
        summary="Recommendations of a trained model",
        version=__version__,
        redoc_url=None,
        lifespan=lifespan,
    )
    kinds = service.kinds
    for path, handle, kind, answer in (
        ("/recommend", service.recommend, kinds.recommend, RecommendAnswer),
        (
            "/recommend_for_items",
            service.recommend_for_items,
            kinds.recommend_for_items,
            RecommendForItemsAnswer,
        ),
        ("/similar", service.similar, kinds.similar, SimilarAnswer),
    ):
        content = {"application/json": {"schema": kind.model_json_schema()}}
        app.add_api_route(
            path,
            handle,
            methods=["POST"],
            summary=inspect.getdoc(kind),
            response_model=answer,
            responses=_REFUSALS,
            openapi_extra={"requestBody": {"required": True, "content": content}},
        )
    app.add_api_route("/health", service.health)
    app.add_exception_handler(UnknownIdsError, _unknown)
    app.add_exception_handler(UsageError, _wrong)
    app.add_exception_handler(Exception, _failed)
    return app


# By threads --------------------------------------------------------------------------------------


def _checked(kind: type[R], body: bytes) -> R:
    try:
        return kind.model_validate_json(body)
    except ValidationError as error:
        raise HTTPException(422, what_is_wrong(error, kind)) from None


def _answered(model: ServedModel, answer: Callable[[Loaded, R], Answer], asked: R) -> bytes:
    return _written(answer(model.current, asked))


def _recommended(
    model: ServedModel, asked: Sequence[RecommendRequest]
) -> list[bytes | UnknownIdsError]:
    return [
        one if isinstance(one, UnknownIdsError) else _written(one)
        for one in answers.recommend(model.current, asked)
    ]


def _recommended_alone(model: ServedModel, asked: RecommendRequest) -> bytes:
    (answer,) = _recommended(model, [asked])
    if isinstance(answer, UnknownIdsError):
        raise answer
    return answer


def _written(answer: Answer) -> bytes:
    # Inner products of huge vectors may be infinite, which JSON cannot say.
    return to_json(answer, inf_nan_mode="null")


# By the event loop ------------------------------------------------------------------------------


def _json(content: bytes) -> Response:
    return Response(content, media_type="application/json")


async def _unknown(request: HttpRequest, error: Exception) -> Response:
    assert isinstance(error, UnknownIdsError)
    unknown = {"unknown_users": error.users, "unknown_items": error.items}
    return JSONResponse({"detail": str(error), **unknown}, 404)


async def _wrong(request: HttpRequest, error: Exception) -> Response:
    return JSONResponse({"detail": str(error)}, 422)


async def _failed(request: HttpRequest, error: Exception) -> Response:
    return JSONResponse({"detail": "the service has failed on this; its log says why"}, 500)
