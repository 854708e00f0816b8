"""What the blueprints share."""

from typing import Annotated

from flask import Response
from pydantic import Field

AccountId = Annotated[int, Field(description="The account's id, which is not the user's.", examples=[1])]
SessionId = Annotated[int, Field(description="The session's id.", examples=[1])]
KeyId = Annotated[int, Field(description="The key's id.", examples=[1])]
RoleId = Annotated[int, Field(description="The role's id.", examples=[1])]


def keep_out_of_caches(response: Response) -> Response:
    """Let no cache keep an answer: it may hold a token, or what concerns one person (RFC 6749 section 5.1)."""
    response.cache_control.no_store = True
    return response


def clear_browser(response: Response) -> Response:
    """Tell a browser to forget what it has kept (ASVS 5.0 14.3.1)."""
    response.headers["Clear-Site-Data"] = '"cache", "cookies", "storage"'
    return response
