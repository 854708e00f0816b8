"""Serves the OpenAPI document and the page to read it and try it out.

The page loads nothing from elsewhere: no CDN learns who reads it.
"""

import hashlib
from functools import cache
from http import HTTPStatus
from importlib.resources import files
from pathlib import Path
from threading import Lock
from urllib.parse import quote

from flask import Blueprint, Response, abort, current_app, render_template, request, send_file, url_for
from flask.blueprints import BlueprintSetupState

from carboy.api.answers import content_tag, json_answer
from carboy.api.openapi.document import TITLE, describe, pack
from carboy.web.access import public
from carboy.web.application import current_request

docs = Blueprint("docs", __name__, url_prefix="/api", template_folder="templates")

OWN = Path(__file__).with_name("static")
SWAGGER_UI = Path(str(files("flask_swagger_ui"))) / "dist"

ASSETS = {
    "docs.css": OWN,
    "docs.js": OWN,
    "favicon-32x32.png": SWAGGER_UI,
    "swagger-ui-bundle.js": SWAGGER_UI,
    "swagger-ui.css": SWAGGER_UI,
}
"""The files that are served, and where each lies; Swagger UI brings more, which nobody needs."""

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)
"""The page uses what this server sends and asks this server, and that is all. Its style sheet holds images as data."""

YEAR = 365 * 24 * 60 * 60
"""Seconds that a client keeps an asset whose address tells its content, without asking for news of it (RFC 8246)."""


class Documents:
    """The OpenAPI document of an application, made when it is first asked for: at 200 domains that takes a second."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._packed: dict[str, bytes] = {}

    def below(self, root: str) -> bytes:
        """Return the document, packed, of an application that a proxy has put below a path."""
        # Whoever asks meanwhile waits for it instead of making another.
        with self._lock:
            if root not in self._packed:
                self._packed[root] = pack(describe(current_app) | {"servers": [{"url": root or "/"}]})
            return self._packed[root]


@docs.record_once
def _keep_documents(state: BlueprintSetupState) -> None:
    state.app.extensions["openapi"] = Documents()


@docs.get("/openapi.json")
@public
def send_document() -> Response:
    """Answer with the OpenAPI document of this application.

    The view is sync, so that it is made on a worker's thread and other requests are answered meanwhile.
    """
    documents: Documents = current_app.extensions["openapi"]
    document = documents.below(quote(request.root_path.rstrip("/")))
    return json_answer(document, content_tag(document), current_request())


@docs.get("/docs")
@public
def show_docs() -> Response:
    """Answer with the page; it finds the document beside it, at ``/api/openapi.json``."""
    assets = {name: url_for(".send_asset", name=name, v=_fingerprint(name)) for name in ASSETS}
    response = Response(render_template("docs.html", title=TITLE, assets=assets))
    response.cache_control.no_cache = True
    return response


@docs.get("/docs/<name>")
@public
def send_asset(name: str) -> Response:
    """Send a file of the page, which may be kept for ever if it was asked for by its fingerprint."""
    if name not in ASSETS:
        abort(HTTPStatus.NOT_FOUND)
    fingerprint = _fingerprint(name)
    is_versioned = request.args.get("v") == fingerprint
    response = send_file(ASSETS[name] / name, etag=fingerprint, max_age=YEAR if is_versioned else None)
    response.cache_control.immutable = is_versioned
    return response


@docs.after_request
def _protect(response: Response) -> Response:
    response.headers["Content-Security-Policy"] = CONTENT_SECURITY_POLICY
    return response


@cache
def _fingerprint(name: str) -> str:
    # Of the content and not of the file's time, which differs between the machines that serve the same release.
    return hashlib.sha256((ASSETS[name] / name).read_bytes()).hexdigest()[:16]
