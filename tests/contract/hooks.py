"""What schemathesis cannot read in the document: how our formats look, what is there to ask for, what nobody sends."""

import itertools
import unicodedata
from collections import defaultdict
from collections.abc import Callable
from typing import Any, TypeAlias, cast
from urllib.parse import urlsplit

import schemathesis
from hypothesis import strategies as st
from schemathesis.core.failures import AcceptedNegativeData, Failure
from schemathesis.core.parameters import ParameterLocation
from schemathesis.core.transport import Response
from schemathesis.generation.meta import TestPhase
from schemathesis.openapi.checks import EnsureResourceAvailability, RejectedPositiveData

from app.users.schemas import UNSEEN
from carboy.api.compatibility.schemas import resolve

Case: TypeAlias = schemathesis.Case[Any]

PROBLEM = "application/problem+json"

DEPENDS_ON_STATE = {"invalid_cursor", "stale_version", "idempotency_key_reused"}
"""The codes of problems that valid requests meet, besides those whose status schemathesis accepts, 404 and 409.

The document says how a cursor, a tag or a key looks, but not which of them are right at this moment.
"""
RESERVED_DOMAIN = "The part after the @-sign is a special-use or reserved name that cannot be used with email."
"""The document says no more than that it is an address; schemathesis sends to .test, where nobody can be (RFC 6761)."""
NOTHING_THERE = "Must be the id of something that exists."
"""The document cannot say of what ids there are rows."""

FORMAT_OF_USERNAME = "violates `format` at /properties/username"

HARMLESS = ["Accept-Language", "Cookie", "Forwarded", "Range", "TE", "User-Agent", "X-Forwarded-For", "X-Request-ID"]
"""Headers in which nothing can be said that makes a good request a bad one."""
HARMFUL = ["Accept", "Accept-Encoding", "Content-Encoding", "Idempotency-Key", "If-Match", "If-None-Match"]
HEADER_TEXT = st.text(st.characters(min_codepoint=0x20, max_codepoint=0xFF, exclude_characters="\x7f")).map(str.strip)
# Made once, as it takes longer to make strategies than to draw from them.
HARMLESS_HEADERS = st.dictionaries(st.sampled_from(HARMLESS), HEADER_TEXT, max_size=2)
ODD_HEADERS = st.dictionaries(st.sampled_from(HARMLESS + HARMFUL), HEADER_TEXT, max_size=2)
LIKELY_HEADERS = {"If-Match": st.sampled_from(["*", '"1"', '"1", "2"']), "Idempotency-Key": st.uuids().map(str)}
NUMBERS = st.integers(0, 1_000_000)
OWNER = 1
"""The user whom invoices can be given to; whoever tries them makes it before."""

ODD_BODIES = st.sampled_from(
    [
        b"",
        b"\x00",
        b"\xff\xfe",
        b'\xef\xbb\xbf{"username": "ada"}',
        b'{"username": "\\u0000", "email": "nul@example.org"}',
        b'{"username": "\x00", "email": "nul@example.org"}',
        b'{"username": "\\ud800", "email": "half@example.org"}',
        b'{"username": "\xed\xa0\x80", "email": "half@example.org"}',
        b'{"username": "\\ud83d\\ud83d", "email": "half@example.org"}',
        b'{"full_name": "\\u0000"}',
        b'{"full_name": "\\udfff"}',
        b'{"active": 1e999}',
        b'{"active": ' + b"9" * 5000 + b"}",
        b'{"active": NaN}',
        b'{"\\ud800": true}',
        b'{"\\u0000": true}',
        b"[" * 100_000,
        b'{"username":' * 5_000,
        b'{"username": "' + b"a" * 1_048_577 + b'"}',
    ]
)
"""None of them is a valid body of any operation. The last is too large to be read."""


def _is_visible(text: str) -> bool:
    blank = any(character.isspace() for character in text) or UNSEEN.search(text)
    return 0 < len(text) <= 80 and text.isprintable() and not blank


USERNAMES = st.text(st.characters(categories=["L", "M", "N", "P", "S"]), min_size=1, max_size=80).filter(
    # What looks alike is the same: one letter may become several, and an accent that stands alone gets a space.
    lambda text: _is_visible(unicodedata.normalize("NFKC", text))
)
schemathesis.openapi.format("username", USERNAMES)

OTHER_VALUES: dict[str, Callable[[int], Any]] = {
    "username": "corner-{}".format,
    "email": "corner-{}@example.org".format,
    "number": "corner-{}".format,
    "owner_id": lambda _number: OWNER,
}
"""By fields whose values are taken once, or are those of what is there, what else is right."""
tried: set[tuple[str, Any]] = set()
cases = itertools.count()

created: defaultdict[str, list[Any]] = defaultdict(list)
"""The ids of what the operations of a path have created."""
replayed: set[str] = set()
"""The addresses in answers that were given again for an Idempotency-Key: what was there may be deleted since."""


@schemathesis.hook
def after_call(_context: schemathesis.HookContext, case: Case, response: Response) -> None:
    if response.status_code == 201:
        created[case.path].append(response.json()["id"])
    if "idempotency-replayed" in response.headers:
        replayed.update(response.headers["location"])


@schemathesis.hook
def before_call(_context: schemathesis.HookContext, case: Case, _options: dict[str, Any]) -> None:
    """Let what tries a corner of a schema be new and right besides: such cases all have the same key, tag and names."""
    meta = case.meta
    if meta is None or meta.phase.name is not TestPhase.COVERAGE or meta.generation.mode.is_negative:
        return
    number = next(cases)
    for name, right in (("If-Match", "*"), ("Idempotency-Key", f"corner-{number}")):
        if name in case.headers and meta.phase.data.parameter != name:
            case.headers[name] = right
    if isinstance(case.body, dict):
        changed = {name: _once(name, case.body[name], number) for name in OTHER_VALUES.keys() & case.body.keys()}
        case.body = case.body | changed


def _once(name: str, value: Any, number: int) -> Any:
    if (name, value) in tried:
        return OTHER_VALUES[name](number)
    tried.add((name, value))
    return value


@schemathesis.hook
def flatmap_case(_context: schemathesis.HookContext, case: Case) -> st.SearchStrategy[Case]:
    assert case.meta is not None
    return _made_odd(case) if case.meta.generation.mode.is_negative else _made_likely(case)


@st.composite
def _made_odd(draw: st.DrawFn, case: Case) -> Case:
    """Send, now and then, a body that nobody sends: the case is invalid anyway."""
    if case.media_type is not None and draw(NUMBERS) % 10 == 1:
        case.body = draw(ODD_BODIES)
    _ask_for_what_is_there(draw, case)
    return _with_headers(draw(ODD_HEADERS), case)


@st.composite
def _made_likely(draw: st.DrawFn, case: Case) -> Case:
    """Let the case succeed more often: by chance hardly a name is new, a version right, or a cursor ours."""
    if draw(st.booleans()):
        case.query.pop("cursor", None)
    for name, likely in LIKELY_HEADERS.items():
        if name in case.headers and draw(st.booleans()):
            case.headers[name] = draw(likely)
    if isinstance(case.body, dict):
        case.body = _with_new_names(draw, case.body)
    _ask_for_what_is_there(draw, case)
    return _with_headers(draw(HARMLESS_HEADERS), case)


def _ask_for_what_is_there(draw: st.DrawFn, case: Case) -> None:
    """Put a known id, mostly, into an address that is valid and was not made by an earlier request of its sequence."""
    collection, _, last = case.path.rpartition("/")
    # The number is drawn alike whatever there is, as Hypothesis wants it.
    ids, number = created[collection], draw(NUMBERS)
    if not ids or number % 4 == 0 or case.meta is None or case.meta.phase.name is TestPhase.STATEFUL:
        return
    address = case.meta.components.get(ParameterLocation.PATH)
    if address is not None and address.mode.is_positive:
        case.path_parameters[last.strip("{}")] = ids[-1 - number % len(ids)]


def _with_new_names(draw: st.DrawFn, body: dict[str, Any]) -> dict[str, Any]:
    """Replace, mostly, what must be unique: schemathesis likes the document's examples and what it has sent before."""
    name, number = draw(USERNAMES), draw(NUMBERS)
    if number % 4 and "username" in body:
        body = body | {"username": name}
    if number % 4 and "number" in body:
        body = body | {"number": name[:30]}
    if number % 4 and "owner_id" in body:
        body = body | {"owner_id": OWNER}
    # Longer ones are left alone, as they are as long as they may be.
    if number % 4 and len(body.get("email", "")) in range(1, 60):
        body = body | {"email": f"{number}{body['email']}"}
    return body


def _with_headers(headers: dict[str, str], case: Case) -> Case:
    for name, text in headers.items():
        case.headers.setdefault(name, text)
    return case


@schemathesis.hook
def filter_failure(_context: schemathesis.HookContext, failure: Failure, case: Case, response: Response) -> bool:
    """Accept that a valid request is refused for what no schema tells: the reasons stand at the constants."""
    if isinstance(failure, AcceptedNegativeData) and FORMAT_OF_USERNAME in failure.message:
        # Which names violate a format of our own schemathesis cannot know: one that it has made up may be right.
        return not _is_visible(unicodedata.normalize("NFKC", str(cast("Any", case.body)["username"])))
    if isinstance(failure, EnsureResourceAvailability):
        return urlsplit(str(response.request.url)).path not in replayed
    if not isinstance(failure, RejectedPositiveData) or response.headers.get("content-type") != [PROBLEM]:
        return True
    problem = response.json()
    details = {error["detail"] for error in problem.get("errors", ())}
    return problem["code"] not in DEPENDS_ON_STATE and not (details and details <= {RESERVED_DOMAIN, NOTHING_THERE})


@schemathesis.check
def every_problem_is_documented(_context: schemathesis.CheckContext, response: Response, case: Case) -> None:
    """Check that an error has the one form that errors have, and a code that the document names for its status.

    A status that is not documented is for another check, unless it is 405, which belongs to no operation.
    """
    if response.status_code < 400:
        return
    assert response.headers.get("content-type") == [PROBLEM]
    problem = response.json()
    assert problem["status"] == response.status_code
    assert [problem["request_id"]] == response.headers["x-request-id"]
    documented = case.operation.definition.raw["responses"].get(str(response.status_code))
    if documented is not None:
        documented = resolve(case.operation.schema.raw_schema, documented)
        assert problem["code"] in documented["content"][PROBLEM]["examples"], f"{problem['code']} is not documented"
