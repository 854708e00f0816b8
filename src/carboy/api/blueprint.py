from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from dependency_injector.wiring import inject
from flask import Blueprint

from carboy.api import event_streams, idempotency
from carboy.api.endpoints import endpoint_of
from carboy.api.operation import Operation, operation_of
from carboy.di.checks import FROM_REQUEST, NEEDS, asks_for_injection
from carboy.errors import CarboyError
from carboy.web import access, rate_limits

ATTRIBUTE = "__operation__"
ViewT = TypeVar("ViewT", bound=Callable[..., Any])


class ApiBlueprint(Blueprint):
    """A blueprint whose views declare by their signature what they take and return.

    The container gives a view what its markers ask for, without the decorator `inject`.

    Its route decorators take one argument more, ``errors``: what the view may raise, besides what every route may.

    Args:
        name: The blueprint's name, which is also the tag of its operations in the document.
        import_name: The module's ``__name__``.
        description: What the operations are about, for the document.
        **options: What `flask.Blueprint` takes.
    """

    def __init__(self, name: str, import_name: str, *, description: str, **options: Any) -> None:
        super().__init__(name, import_name, **options)
        self.description = description

    def get(self, rule: str, **options: Any) -> Callable[[ViewT], ViewT]:
        return self.route(rule, methods=["GET"], **options)

    def post(self, rule: str, **options: Any) -> Callable[[ViewT], ViewT]:
        return self.route(rule, methods=["POST"], **options)

    def put(self, rule: str, **options: Any) -> Callable[[ViewT], ViewT]:
        return self.route(rule, methods=["PUT"], **options)

    def patch(self, rule: str, **options: Any) -> Callable[[ViewT], ViewT]:
        return self.route(rule, methods=["PATCH"], **options)

    def delete(self, rule: str, **options: Any) -> Callable[[ViewT], ViewT]:
        return self.route(rule, methods=["DELETE"], **options)

    def route(self, rule: str, **options: Any) -> Callable[[ViewT], ViewT]:
        # Flask types a view's result as a Flask response; these views return what the client gets.
        register: Any = super().route(rule, **options)

        def decorate(view: ViewT) -> ViewT:
            injected = inject(view) if asks_for_injection(view) else view
            register(injected)
            return injected

        return decorate

    def add_url_rule(
        self,
        rule: str,
        endpoint: str | None = None,
        view_func: Any = None,
        provide_automatic_options: bool | None = None,  # noqa: FBT001 - its signature is Flask's.
        *,
        errors: Iterable[type[CarboyError]] = (),
        **options: Any,
    ) -> None:
        """Add a route.

        Raises:
            DeclarationError: The view's signature does not say what it must.
        """
        operation = operation_of(view_func, tuple(errors))
        answer = endpoint_of(operation)
        setattr(answer, ATTRIBUTE, operation)
        setattr(answer, FROM_REQUEST, operation.arguments)
        setattr(answer, NEEDS, _needed(operation))
        super().add_url_rule(rule, endpoint, answer, provide_automatic_options, **options)


def _needed(operation: Operation) -> dict[str, Any]:
    """Return what the container must have for an operation."""
    needed: dict[str, Any] = {}
    for is_needed, of in (
        (operation.creates, idempotency.NEEDED),
        (operation.asks_who, access.NEEDED),
        (operation.limits, rate_limits.NEEDED),
        (operation.streams, event_streams.NEEDED),
    ):
        if is_needed:
            needed |= of
    return needed


def declared(view: Any) -> Operation | None:
    """Return what a view declares; None if it does not belong to an `ApiBlueprint`."""
    operation: Operation | None = getattr(view, ATTRIBUTE, None)
    return operation
