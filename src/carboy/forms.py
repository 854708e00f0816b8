"""Forms of pages: a pydantic model reads them, and what is wrong stands beside each field.

::

    @pages.post("/login")
    @public
    async def log_in(service: Logins) -> Response:
        form = sent_form(Login)
        with form.refusals(WrongCredentialsError):
            begun = await service.log_in(actor(), form.content)
            ...
            return redirect("/")
        return await render_form("pages/login.html", form)
"""

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from types import TracebackType
from typing import Any, Generic, TypeVar, get_args, get_origin

from flask import Response, current_app
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from carboy.api.findings import detail_of, first_problems, parameter_of
from carboy.errors import CarboyError, FieldProblem, InvalidInputError
from carboy.schemas.text import Described
from carboy.web.application import current_request
from carboy.web.visits import ensure_session, render_page

ModelT = TypeVar("ModelT", bound=BaseModel)
MISSING = "Must be filled in."


class NotFilledInError(Exception):
    """What was sent is not what the form's model wants; `Form.refusals` takes it."""


@dataclass(frozen=True, slots=True)
class Field:
    """A field as its page shows it.

    Attributes:
        name: Its name in the model and in the form.
        id: The id of its element.
        value: What it holds; nothing if it is a secret.
        problems: What is wrong with it, a sentence each.
    """

    name: str
    id: str
    value: Any
    problems: list[str]

    def described_by(self, *, hint: bool) -> str:
        """Return the ids of what describes it, with blanks between them."""
        parts = {"hint": hint, "error": bool(self.problems)}
        return " ".join(f"{self.id}-{part}" for part, is_there in parts.items() if is_there)


class Form(Generic[ModelT]):
    """A form: what it holds, and what is wrong with it.

    Args:
        model: What it is to become.
        values: What its fields hold by now, by name.
    """

    def __init__(self, model: type[ModelT], values: Mapping[str, Any] | None = None) -> None:
        self._model = model
        self._values = dict(values or {})
        self._content: ModelT | None = None
        self._labels: dict[str, str] = {}
        self.problems: dict[str, list[str]] = {}
        """What is wrong, by field; with the whole, by the empty name."""

    @property
    def content(self) -> ModelT:
        """The model, of what was sent.

        Raises:
            NotFilledInError: Something is wrong with it.
        """
        if self._content is None:
            raise NotFilledInError
        return self._content

    def read(self, values: Mapping[str, Any]) -> None:
        """Take what was sent. Secrets are not kept to be shown again."""
        fields = self._model.model_fields
        self._values |= {name: value for name, value in values.items() if not _is_secret(fields[name])}
        try:
            context = current_app.config.get("VALIDATION_CONTEXT")
            # A form is all text; a model for JSON may be strict.
            self._content = self._model.model_validate(values, strict=False, context=context)
        except ValidationError as error:
            for problem in first_problems(error):
                name = str(next(iter(problem["loc"]), ""))
                self.refuse(name, MISSING if problem["type"] == "missing" else detail_of(problem))

    def refuse(self, name: str, problem: str) -> None:
        """Say what is wrong with a field, or with the whole if its name is empty."""
        found = self.problems.setdefault(name, [])
        if problem not in found:
            found.append(problem)

    def refusals(self, *errors: type[CarboyError], **fields: type[CarboyError]) -> "Refusals":
        """Return a context in which the form takes errors, and shows them: what follows it renders the form again.

        Besides those named it takes what the model refuses, and an `InvalidInputError` of the service.

        Args:
            *errors: Those that concern the whole form.
            **fields: Those that concern one field, by its name.
        """
        # Those of fields first: one may be a special case of another.
        return Refusals(self, {kind: name for name, kind in fields.items()} | dict.fromkeys(errors, ""))

    def field(self, name: str, label: str) -> Field:
        """Return a field for its template, and remember what the page calls it."""
        self._labels[name] = label
        return Field(name, f"field-{name}", self._values.get(name, ""), self.problems.get(name, []))

    def summary(self) -> list[tuple[str | None, str, str]]:
        """Return all that is wrong: the id of each field that the page has, its label, and a sentence."""
        return [
            (f"field-{name}" if name in self._labels else None, self._labels.get(name, ""), problem)
            for name, problems in self.problems.items()
            for problem in problems
        ]


class Refusals:
    """Takes the errors of a form; see `Form.refusals`."""

    def __init__(self, form: Form[Any], kinds: Mapping[type[CarboyError], str]) -> None:
        self._form = form
        self._kinds = kinds

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, _kind: type[BaseException] | None, error: BaseException | None, _trace: TracebackType | None
    ) -> bool:
        if isinstance(error, NotFilledInError):
            return True
        if isinstance(error, InvalidInputError):
            for problem in error.extensions["errors"]:
                self._form.refuse(problem.get("pointer", "").removeprefix("#/"), problem["detail"])
            return True
        for kind, name in self._kinds.items():
            if isinstance(error, kind):
                self._form.refuse(name, str(error))
                return True
        return False


def sent_form(model: type[ModelT], **given: Any) -> Form[ModelT]:
    """Return the form that the current request has sent. What is left empty counts as not sent.

    Args:
        model: What it is to become; other fields that were sent are none of its business.
        **given: Fields that come from elsewhere, such as a token from a cookie.
    """
    form = Form(model)
    form.read(_filled_in(model) | {name: value for name, value in given.items() if value is not None})
    return form


def sent_query(model: type[ModelT]) -> ModelT:
    """Return what the address of the current page asks for. What is left empty or unknown counts as not asked for.

    Args:
        model: What it is to become, such as the query of a list.

    Raises:
        InvalidInputError: A part of it is not what the model wants: only an address that was typed has that.
    """
    asked = current_request().args
    given = {name: value for name in model.model_fields if (value := asked.get(name, "").strip())}
    try:
        return model.model_validate(given, context=current_app.config.get("VALIDATION_CONTEXT"))
    except ValidationError as error:
        problems = [
            FieldProblem(parameter=parameter_of(one["loc"]), detail=detail_of(one, place="parameter"))
            for one in first_problems(error)
        ]
        raise InvalidInputError(problems) from None


async def render_form(template: str, form: Form[Any], **context: Any) -> Response:
    """Render a page with a form, with status 422 if something is wrong with it.

    Args:
        template: The template's name; it is given ``form``.
        form: The form.
        **context: What else the template is given.
    """
    await ensure_session()
    status = HTTPStatus.UNPROCESSABLE_ENTITY if form.problems else HTTPStatus.OK
    return await render_page(template, status, form=form, **context)


def _filled_in(model: type[BaseModel]) -> dict[str, Any]:
    sent, found = current_request().form, {}
    for name, field in model.model_fields.items():
        # A phone's keyboard adds blanks; a password is taken exactly as it is.
        values = [value if _is_secret(field) else value.strip() for value in sent.getlist(name)]
        values = [value for value in values if value]
        if values:
            found[name] = values if _is_list(field.annotation) else values[0]
    return found


def _is_list(annotation: Any) -> bool:
    return get_origin(annotation) is list or any(get_origin(part) is list for part in get_args(annotation))


def _is_secret(field: FieldInfo) -> bool:
    return any(isinstance(note, Described) and note.format == "password" for note in field.metadata)
