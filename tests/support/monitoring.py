"""Serves `support.monitored` to many clients at once, and writes as JSON what Sentry was told.

It runs in a process of its own, as Sentry's SDK patches Flask, logging and threads for good::

    python -m support.monitoring wsgi|auto|view|worker
"""

import asyncio
import json
import logging
import sys
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import sentry_sdk
from sentry_sdk.envelope import Envelope
from sentry_sdk.integrations.modules import ModulesIntegration
from sentry_sdk.transport import Transport
from support.asgi import App, Conversation, LifespanConversation, ask, eventually, http_scope
from support.monitored import app, meeting
from werkzeug.test import create_environ

from carboy.bridge import FlaskASGI

VIEWS = dict.fromkeys(("sync-raises", "sync-tells", "async-raises", "async-tells"), 10)
"""Requests of each kind that are in their views at once: together as many as there are workers."""
STREAMS = dict.fromkeys(("sync-streams", "async-streams", "sync-streams-of-async", "closes", "async-closes"), 5)
"""Requests of each kind that fail at once after Flask has answered."""
OTHERS = {"sync-hook": 1, "async-hook": 1, "no-such-view": 1}
LEFT = dict.fromkeys(("sync-streams", "async-streams", "sync-streams-of-async"), 3)
"""Requests of each kind whose clients leave before the body fails."""
GIVEN_UP = dict.fromkeys(("closes", "async-closes"), 3)
"""Requests of each kind that the server cancels before they fail."""

log = logging.getLogger("server")
told: list[dict[str, Any]] = []


class Collect(Transport):
    """Keeps what would be sent to Sentry."""

    def capture_envelope(self, envelope: Envelope) -> None:
        told.extend(
            item.payload.json
            for item in envelope.items
            if item.type in {"event", "transaction"} and item.payload.json is not None
        )


def answer_by_wsgi(target: str) -> None:
    """Do as a WSGI server does, which logs what fails."""
    try:
        body: Iterable[bytes] = app(create_environ(target, "http://testserver"), lambda *_: lambda _: None)
        try:
            for _ in body:
                pass
        finally:
            close = getattr(body, "close", None)
            if close is not None:
                close()
    except LookupError:
        log.exception("Error in WSGI application")


def served(asgi: FlaskASGI) -> App:
    """Do as an ASGI server does, which logs what fails in the task of the request."""

    async def serve(*connection: Any) -> None:
        try:
            await asgi(*connection)
        except LookupError:
            log.exception("Error in ASGI application")

    return serve


def answer_all_by_wsgi(targets: list[str]) -> None:
    with ThreadPoolExecutor(len(targets)) as threads:
        list(threads.map(answer_by_wsgi, targets))


async def abandon_all(asgi: App, targets: list[str], *, given_up: bool) -> None:
    """Let the clients of requests leave, or the server give the requests up, before they go on; wait for their end."""
    lifespan = LifespanConversation(asgi)
    lifespan.say("startup")
    await lifespan.answer()
    meeting.expect(len(targets) + 1)
    conversations = [Conversation(asgi, http_scope(target)).start() for target in targets]
    await eventually(lambda: meeting.missing == 1)
    for conversation in conversations:
        if given_up and conversation.outer is not None:
            conversation.outer.cancel()
        else:
            conversation.leave()
    await asyncio.wait([conversation.outer for conversation in conversations if conversation.outer is not None])
    await meeting.join()
    lifespan.say("shutdown")
    await lifespan.answer()


def targets_of(counts: dict[str, int], round_: int = 0) -> list[str]:
    return [f"/{kind}/{kind}-{round_}{number}?n={number}" for kind, count in counts.items() for number in range(count)]


async def main(how: Any) -> dict[str, Any]:
    app.config["BY_WSGI"] = how == "wsgi"
    asgi = served(FlaskASGI(app, run_on=how)) if how != "wsgi" else None
    for counts in (VIEWS, STREAMS, OTHERS):
        targets = targets_of(counts)
        meeting.expect(len(targets))
        if asgi is None:
            await asyncio.to_thread(answer_all_by_wsgi, targets)
        else:
            await asyncio.gather(*(ask(asgi, target) for target in targets))
    answered = told.copy()
    told.clear()
    if asgi is not None:
        # The second round runs on threads that were started for requests of the first.
        for round_ in (1, 2):
            await abandon_all(asgi, targets_of(LEFT, round_), given_up=False)
        await abandon_all(asgi, targets_of(GIVEN_UP), given_up=True)
    return {"answered": answered, "abandoned": told}


if __name__ == "__main__":
    # It lists what is installed, which takes as long as all requests and has no part in them.
    without = [ModulesIntegration()]
    sentry_sdk.init(
        "https://key@sentry.invalid/1", transport=Collect, traces_sample_rate=1.0, disabled_integrations=without
    )
    json.dump(asyncio.run(main(sys.argv[1])), sys.stdout)
