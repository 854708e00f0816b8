from flask import Blueprint, Response, current_app, jsonify, render_template, request, url_for

from carboy.api.openapi.document import TITLE
from carboy.web.access import public
from carboy.web.problems import PAGE_POLICY

home = Blueprint("home", __name__, template_folder="templates")

LINKS = {"docs": "docs.show_docs", "openapi": "docs.send_document", "health": "health.check_readiness"}
"""What the page leads to, as far as the application has it: the documentation is closed in production by default."""


@home.get("/")
@public
async def show_home() -> Response:
    """Answer with JSON, or with a page if the client prefers HTML; an application's own home.html replaces that."""
    links = {name: url_for(endpoint) for name, endpoint in LINKS.items() if endpoint in current_app.view_functions}
    kind = request.accept_mimetypes.best_match(["application/json", "text/html"], "application/json")
    if kind == "text/html":
        response = Response(render_template("home.html", title=TITLE, links=links))
        response.headers["Content-Security-Policy"] = PAGE_POLICY
    else:
        response = jsonify(name=TITLE, links=links)
    response.vary.add("Accept")
    return response
