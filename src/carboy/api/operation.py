"""Reads what a view's signature declares, once at start."""

import inspect
from collections.abc import Callable, Coroutine, Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from http import HTTPStatus
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel

from carboy.api.answers import (
    Created,
    Issued,
    Writer,
    issued_writer,
    model_writer,
    nothing_writer,
    page_writer,
)
from carboy.api.conditions import read_expected
from carboy.api.deprecation import Deprecation, deprecation_of
from carboy.api.event_streams import EVENT_STREAM, EventStream, read_last_event_id, stream_writer
from carboy.api.requests import JSON, Reader, body_reader, query_reader
from carboy.di.provider_types import marker_of
from carboy.errors import CarboyError
from carboy.limits.schemas import Limit
from carboy.schemas.base import Change, Names, Page, Query, Versions, fields_of
from carboy.schemas.filters import Separated, notes_in
from carboy.security.actor import Actor
from carboy.web.access import Access, access_of
from carboy.web.rate_limits import limits_of

View = Callable[..., Coroutine[Any, Any, Any]]


class _IfMatch:
    """Marks the argument that takes what the header If-Match says."""


Expected = Annotated[Versions, _IfMatch()]
"""The versions that a client has seen: one of them must be the resource's when it is changed."""


class _LastEventId:
    """Marks the argument that takes what the header Last-Event-ID says."""


LastEventId = Annotated[str | None, _LastEventId()]
"""The id of the last event that a client of a stream has seen; None if it comes for the first time."""


class DeclarationError(TypeError):
    """A view's signature does not say what it must."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Operation:
    """What a route takes and gives.

    Attributes:
        view: The function as it was declared.
        query: The name and type of the argument that is the query string.
        body: The same for the JSON body.
        expected: The name of the argument that is If-Match.
        last_event_id: The name of the argument that is Last-Event-ID.
        actor: The name of the argument that is who acts.
        access: Who may use it; None if the view does not say.
        limits: How often it may be used.
        result: The type of what the view returns; None if that is nothing.
        creates: Whether the view returns a `Created`.
        issues: Whether it returns an `Issued`.
        streams: Whether the view returns an `EventStream`; `result` is then the type of its events' data.
        errors: What the view may raise, besides what every route may.
        deprecation: Whether the route will go.
    """

    view: View
    query: tuple[str, type[Query]] | None
    body: tuple[str, type[BaseModel]] | None
    expected: str | None
    last_event_id: str | None
    actor: str | None
    access: Access | None
    limits: tuple[Limit, ...]
    result: Any
    creates: bool
    issues: bool
    streams: bool
    errors: tuple[type[CarboyError], ...]
    deprecation: Deprecation | None

    @property
    def arguments(self) -> frozenset[str]:
        """The names of the arguments that are read from the query, body and headers."""
        named = (pair[0] for pair in (self.query, self.body) if pair is not None)
        return frozenset(
            [*named, *(name for name in (self.expected, self.last_event_id, self.actor) if name is not None)]
        )

    @property
    def asks_who(self) -> bool:
        """Whether it must be known who acts, before anything else of the request is read."""
        return self.actor is not None or (self.access is not None and not self.access.is_public)

    @property
    def status(self) -> HTTPStatus:
        """The status of a success."""
        if self.result is None:
            return HTTPStatus.NO_CONTENT
        return HTTPStatus.CREATED if self.creates or self.issues else HTTPStatus.OK

    @property
    def media_type(self) -> str | None:
        """The media type of a success; None if that says nothing."""
        if self.result is None:
            return None
        return EVENT_STREAM if self.streams else JSON

    @property
    def is_list(self) -> bool:
        return isinstance(self.result, type) and issubclass(self.result, Page)

    @property
    def fields(self) -> Names | None:
        """What the items of the list can be reduced to; None if the view returns no list."""
        return fields_of(self.item) if self.is_list else None

    @property
    def item(self) -> type[BaseModel]:
        """What a list is made of."""
        item: type[BaseModel] = get_args(self.result.model_fields["items"].annotation)[0]
        return item

    @property
    def changes(self) -> bool:
        """Whether the body is a change of something, a JSON merge patch (RFC 7396)."""
        return self.body is not None and issubclass(self.body[1], Change)

    @property
    def has_etag(self) -> bool:
        """Whether the response has an ETag: the version of a resource, the digest of a list."""
        return not self.streams and (
            self.is_list or (self.result is not None and "version" in self.result.model_fields)
        )

    @property
    def is_injected(self) -> bool:
        """Whether the view uses what the container gives, and with it a database."""
        return any(marker_of(parameter) is not None for parameter in inspect.signature(self.view).parameters.values())

    def readers(self) -> list[tuple[str, Reader]]:
        readers: list[tuple[str, Reader]] = []
        if self.query is not None:
            readers.append((self.query[0], query_reader(self.query[1], self.fields)))
        if self.body is not None:
            readers.append((self.body[0], body_reader(self.body[1])))
        if self.expected is not None:
            readers.append((self.expected, read_expected))
        if self.last_event_id is not None:
            readers.append((self.last_event_id, read_last_event_id))
        return readers

    def writer(self) -> Writer:
        if self.result is None:
            return nothing_writer
        if self.issues:
            return issued_writer(self.result)
        if self.streams:
            return stream_writer(self.result)
        if self.is_list:
            return page_writer(self.result, self.query[0] if self.query is not None else None)
        return model_writer(self.result)


def operation_of(view: View, errors: tuple[type[CarboyError], ...]) -> Operation:
    """Read a view's signature.

    Raises:
        DeclarationError: It is not asynchronous, does not say what it returns, takes two bodies, takes a list in its
            query, takes an actor without saying who may use it, or says so of an argument that it does not have.
    """
    if not inspect.iscoroutinefunction(view):
        raise DeclarationError(f"{view.__qualname__}: a view of an ApiBlueprint must be an async function.")
    signature = inspect.signature(view)
    models = [(name, one.annotation) for name, one in signature.parameters.items() if _is_model(one.annotation)]
    queries = [(name, model) for name, model in models if issubclass(model, Query)]
    bodies = [(name, model) for name, model in models if not issubclass(model, Query)]
    expected = [name for name, one in signature.parameters.items() if _is_if_match(one.annotation)]
    last_ids = [name for name, one in signature.parameters.items() if _is_last_event_id(one.annotation)]
    actors = [name for name, one in signature.parameters.items() if _is_actor(one.annotation)]
    for kind, found in (
        ("query", queries),
        ("body", bodies),
        ("If-Match", expected),
        ("Last-Event-ID", last_ids),
        ("actor", actors),
    ):
        if len(found) > 1:
            raise DeclarationError(f"{view.__qualname__}: only one argument can be the {kind}.")
    lists = [name for _, query in queries for name in _lists_in(query)]
    if lists:
        raise DeclarationError(
            f"{view.__qualname__}: {lists[0]} is a list, but a parameter stands once: AnyOf takes values with commas."
        )
    access = access_of(view)
    if actors and access is None:
        raise DeclarationError(f"{view.__qualname__}: it takes an actor, so mark it with @requires(...) or @public.")
    if access is not None and access.own is not None and access.own not in signature.parameters:
        raise DeclarationError(f"{view.__qualname__}: own={access.own!r} is no argument of it.")
    result, kind = _result_of(view, signature.return_annotation)
    if last_ids and kind is not EventStream:
        raise DeclarationError(f"{view.__qualname__}: only a stream has events whose id a client has seen.")
    return Operation(
        view=view,
        query=queries[0] if queries else None,
        body=bodies[0] if bodies else None,
        expected=expected[0] if expected else None,
        last_event_id=last_ids[0] if last_ids else None,
        actor=actors[0] if actors else None,
        access=access,
        limits=limits_of(view),
        result=result,
        creates=kind is Created,
        issues=kind is Issued,
        streams=kind is EventStream,
        errors=errors,
        deprecation=deprecation_of(view),
    )


def _result_of(view: View, annotation: Any) -> tuple[Any, Any]:
    """Return the type of what a view returns, and what it is wrapped in, if it is."""
    kind = get_origin(annotation)
    if kind in {Created, Issued, EventStream}:
        return get_args(annotation)[0], kind
    if annotation is None or _is_model(annotation):
        return annotation, None
    raise DeclarationError(
        f"{view.__qualname__}: it must return a pydantic model, Created[...], Issued[...], EventStream[...] or"
        f" None, not {annotation!r}."
    )


def _lists_in(query: type[Query]) -> list[str]:
    """Return the parameters of a query that want several values."""
    return [
        name
        for name, field in query.model_fields.items()
        if not any(isinstance(note, Separated) for note in (*field.metadata, *notes_in(field.annotation)))
        and any(map(_is_list, _options(field.annotation)))
    ]


def _options(annotation: Any) -> Iterator[Any]:
    """Yield the types that an annotation allows. Asking pydantic for their schema would double the start."""
    if get_origin(annotation) is Annotated:
        yield from _options(get_args(annotation)[0])
    elif get_origin(annotation) in {Union, UnionType}:
        for option in get_args(annotation):
            yield from _options(option)
    else:
        yield annotation


def _is_list(annotation: Any) -> bool:
    kind = get_origin(annotation) or annotation
    return isinstance(kind, type) and issubclass(kind, (Sequence, AbstractSet)) and not issubclass(kind, (str, bytes))


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _is_actor(annotation: Any) -> bool:
    # An application may know more of an actor than the kit does.
    return isinstance(annotation, type) and issubclass(annotation, Actor)


def _is_if_match(annotation: Any) -> bool:
    return get_origin(annotation) is Annotated and any(isinstance(one, _IfMatch) for one in get_args(annotation)[1:])


def _is_last_event_id(annotation: Any) -> bool:
    return get_origin(annotation) is Annotated and any(
        isinstance(one, _LastEventId) for one in get_args(annotation)[1:]
    )
