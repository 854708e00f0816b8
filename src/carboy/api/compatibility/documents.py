"""Finds the changes between two OpenAPI 3.1 documents that can break existing clients.

The rules answer one question: can a client that was written against, or generated from, the released document break?

- Gone is broken: a server's address, an operation, its operationId and tags, a component schema (generated clients name
  functions, modules and classes after these), a parameter, a body, a media type, a status, a header, a property of an
  answer.
- In requests all that was valid has to stay valid, and what is left out has to mean the same: defaults stay. Properties
  that an object allowed without naming them are taken to be never sent, so that a new optional one breaks nobody.
- In answers nothing may come that was not announced: no null where there was none, no other enum value, no wider type
  or bound, no other status of success. Objects announce properties to come unless they forbid additionalProperties,
  and clients treat a status of an error that they do not know as 400 or 500 (RFC 9110 section 15).
- Credentials that were enough have to be enough.
- What cannot be decided is told as a change: most other patterns, say, or a oneOf without a discriminator.

Texts, examples, callbacks, webhooks, links and the definitions of security schemes are not looked at.
"""

from collections.abc import Iterator

from carboy.api.compatibility.schemas import Flow, Node, resolve, was

METHODS = {"get", "put", "post", "delete", "options", "head", "patch", "trace"}


def breaking_changes(released: Node, current: Node) -> list[str]:
    """Name each change that can break a client of the released document, in a sentence that begins with its place.

    Args:
        released: The OpenAPI document of the last release; its references must lead to places in itself.
        current: The document that is about to replace it; likewise.
    """
    return list(dict.fromkeys(_Comparison(released, current).changes()))


class _Comparison:
    def __init__(self, released: Node, current: Node) -> None:
        self._released = released
        self._current = current
        self._requests = Flow(released, current, answers=False)
        self._answers = Flow(released, current, answers=True)

    def changes(self) -> Iterator[str]:
        old_urls, new_urls = ({server["url"] for server in each.get("servers", [])} for each in self._documents())
        yield from (f"servers: {url} was removed" for url in sorted(old_urls - new_urls))
        old_schemas, new_schemas = (each.get("components", {}).get("schemas", {}) for each in self._documents())
        yield from (f"{name}: the schema was removed" for name in old_schemas if name not in new_schemas)
        old_operations, new_operations = (_operations(each) for each in self._documents())
        for place, operation in old_operations.items():
            if place in new_operations:
                yield from self._operation(place, operation, new_operations[place])
            else:
                yield f"{place}: the operation was removed"

    def _documents(self) -> tuple[Node, Node]:
        return self._released, self._current

    def _operation(self, place: str, old: Node, new: Node) -> Iterator[str]:
        for name in ("operationId", "tags"):
            if old.get(name) != new.get(name):
                yield f"{place}: {was(name, old, new)}"
        yield from _security(place, old["security"], new["security"])
        yield from self._parameters(place, old["parameters"], new["parameters"])
        yield from self._body(place, old.get("requestBody"), new.get("requestBody"))
        for status, answer in old["responses"].items():
            if status in new["responses"]:
                yield from self._answer(f"{place}, {status}", answer, new["responses"][status])
            else:
                yield f"{place}: the status {status} was removed"
        for status in sorted(new["responses"].keys() - old["responses"].keys()):
            if status[0] in "123":
                yield f"{place}: the status {status} may come now"

    def _parameters(self, place: str, old: dict[str, Node], new: dict[str, Node]) -> Iterator[str]:
        for name, parameter in old.items():
            if name in new:
                yield from self._parameter(f"{place}, {name}", parameter, new[name])
            else:
                yield f"{place}: the {name} was removed"
        for name, parameter in new.items():
            if name not in old and parameter.get("required"):
                yield f"{place}: the {name} is required now"

    def _parameter(self, place: str, old: Node, new: Node) -> Iterator[str]:
        if new.get("required") and not old.get("required"):
            yield f"{place}: it is required now"
        for keyword in ("style", "explode", "allowReserved"):
            if old.get(keyword) != new.get(keyword):
                yield f"{place}: {was(keyword, old, new)}"
        yield from self._requests.changes(old.get("schema", {}), new.get("schema", {}), place)
        yield from _media(self._requests, place, old, new)

    def _body(self, place: str, old: Node | None, new: Node | None) -> Iterator[str]:
        old, new = resolve(self._released, old), resolve(self._current, new)
        if old and not new:
            yield f"{place}: the body was removed"
        elif new and new.get("required") and not (old or {}).get("required"):
            yield f"{place}: the body is required now"
        yield from _media(self._requests, f"{place}, body", old or {}, new or {})

    def _answer(self, place: str, old: Node, new: Node) -> Iterator[str]:
        old, new = resolve(self._released, old), resolve(self._current, new)
        headers = {name.lower(): resolve(self._current, header) for name, header in new.get("headers", {}).items()}
        for name, reference in old.get("headers", {}).items():
            before, after = resolve(self._released, reference), headers.get(name.lower())
            if after is None:
                yield f"{place}: the header {name} was removed"
                continue
            if before.get("required") and not after.get("required"):
                yield f"{place}: the header {name} may be missing now"
            yield from self._answers.changes(
                before.get("schema", {}), after.get("schema", {}), f"{place}, header {name}"
            )
        yield from _media(self._answers, place, old, new)


def _operations(document: Node) -> dict[str, Node]:
    """Return each operation by its method and path, with the parameters and the security that apply to it."""
    found = {}
    for path, reference in document.get("paths", {}).items():
        item = resolve(document, reference)
        for method in (name for name in item if name in METHODS):
            parameters = {}
            for each in [*item.get("parameters", []), *item[method].get("parameters", [])]:
                parameter = resolve(document, each)
                name = parameter["name"].lower() if parameter["in"] == "header" else parameter["name"]
                parameters[f"{parameter['in']} parameter {name}"] = parameter
            security = item[method].get("security", document.get("security", []))
            found[f"{method.upper()} {path}"] = item[method] | {"parameters": parameters, "security": security}
    return found


def _security(place: str, old: list[dict[str, list[str]]], new: list[dict[str, list[str]]]) -> Iterator[str]:
    """Each way in, a set of schemes with their scopes, has to be enough still; no list of ways is an open door."""
    for way in old or [{}]:
        if not any(
            all(name in way and {*scopes} <= {*way[name]} for name, scopes in other.items()) for other in new or [{}]
        ):
            yield f"{place}: {' and '.join(way) or 'no credentials'} was enough and is no longer"


def _media(flow: Flow, place: str, old: Node, new: Node) -> Iterator[str]:
    """Compare the contents that both sides have by the same media type."""
    remaining = new.get("content", {})
    for name, media in old.get("content", {}).items():
        if name in remaining:
            yield from flow.changes(media.get("schema", {}), remaining[name].get("schema", {}), place)
        else:
            yield f"{place}: the media type {name} was removed"
