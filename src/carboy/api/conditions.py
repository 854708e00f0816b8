"""Reads conditional requests: which version of something the client has (RFC 9110 section 13)."""

import re

from flask import current_app

from carboy.errors import PreconditionRequiredError
from carboy.schemas.base import Versions
from carboy.web.application import Request

MAX_TAGS = 4000
"""Characters of a list of entity tags that are read, which is room for 500 tags of ours."""
ENTITY_TAG = re.compile(r'[\s,]*(W/)?"([\x21\x23-\x7e\x80-\xff]*)"\s*(?:,[\s,]*|$)')
"""One tag of a list (RFC 9110 section 8.8.3) and the commas around it; empty ones are overlooked (section 5.6.1.2)."""
CODING = re.compile(r":(?:zstd|br|gzip)$")
"""How the tag of a compressed answer ends: see `carboy.web.compression`."""
VERSION = re.compile(r"[1-9][0-9]{0,17}")


def read_expected(request: Request) -> Versions:
    """Return the versions that the request accepts, from If-Match (RFC 9110 section 13.1.1); None for any.

    A weak tag never matches there, nor does one that Carboy did not issue.

    Raises:
        PreconditionRequiredError: There is no If-Match, and the configuration requires one (RFC 6585 section 3).
    """
    header = request.headers.get("If-Match")
    if header is None:
        if current_app.config["REQUIRE_IF_MATCH"]:
            raise PreconditionRequiredError
        return None
    if header.strip() == "*":
        return None
    tags = (CODING.sub("", tag) for weak, tag in _entity_tags(header) if not weak)
    return frozenset(int(tag) for tag in tags if VERSION.fullmatch(tag))


def known_tag(request: Request, tag: str) -> str | None:
    """Return the client's own tag for this version if it has the version already, otherwise None.

    That is If-None-Match, which is compared weakly (RFC 9110 section 13.1.2).
    """
    header = request.environ.get("HTTP_IF_NONE_MATCH")
    if header is None or request.method not in {"GET", "HEAD"}:
        return None
    if header.strip() == "*":
        return tag
    return next((known for _, known in _entity_tags(header) if CODING.sub("", known) == tag), None)


def _entity_tags(header: str) -> list[tuple[bool, str]]:
    """Return the tags of a list, each with whether it is weak; none if the list is malformed or too long."""
    tags: list[tuple[bool, str]] = []
    end = 0 if len(header) <= MAX_TAGS else len(header)
    while end < len(header):
        match = ENTITY_TAG.match(header, end)
        if match is None:
            return []
        tags.append((match[1] is not None, match[2]))
        end = match.end()
    return tags
