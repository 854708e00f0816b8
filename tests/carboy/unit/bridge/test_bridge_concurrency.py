import asyncio
import threading

from flask import Flask, g, request
from support.asgi import Conversation, ask, http_scope, within

from carboy.bridge import FlaskASGI


async def test_a_thousand_async_views_are_in_flight_at_once_on_one_thread(app: Flask, asgi: FlaskASGI) -> None:
    everyone = 1000
    all_here = asyncio.Event()
    in_flight: list[int] = []
    threads: set[int] = set()

    @app.get("/<int:number>")
    async def view(number: int) -> str:
        g.number = number
        threads.add(threading.get_ident())
        in_flight.append(number)
        if len(in_flight) == everyone:
            all_here.set()
        # Nobody gets further before all have come this far.
        await all_here.wait()
        await asyncio.sleep(0.05)
        threads.add(threading.get_ident())
        return f"{g.number} {request.path} {request.args['n']}"

    answers = await within(asyncio.gather(*(ask(asgi, f"/{number}?n={number}") for number in range(everyone))))

    assert [answer.text for answer in answers] == [f"{n} /{n} {n}" for n in range(everyone)]
    assert threads == {threading.get_ident()}


async def test_a_blocking_sync_view_runs_beside_async_views_without_delaying_them(app: Flask, asgi: FlaskASGI) -> None:
    released = threading.Event()
    blocking = threading.Event()

    @app.get("/sync")
    def sync_view() -> str:
        blocking.set()
        # Only the async view, which must therefore get its turn meanwhile, lets this end.
        assert released.wait(20)
        return f"{request.path} {threading.current_thread().name}"

    @app.get("/async")
    async def async_view() -> str:
        released.set()
        return request.path

    slow = Conversation(asgi, http_scope("/sync")).start()
    assert await asyncio.to_thread(blocking.wait, 20)
    assert (await ask(asgi, "/async")).text == "/async"
    assert (await slow.end()).text.startswith("/sync carboy-worker")


async def test_sync_views_run_at_once_in_threads(app: Flask, asgi: FlaskASGI) -> None:
    together = threading.Barrier(8, timeout=20)

    @app.get("/<int:number>")
    def view(number: int) -> str:
        g.number = number
        together.wait()
        return f"{g.number} {request.path}"

    answers = await asyncio.gather(*(ask(asgi, f"/{number}") for number in range(8)))
    assert [answer.text for answer in answers] == [f"{n} /{n}" for n in range(8)]


async def test_sync_views_beyond_the_bound_wait_for_their_turn(app: Flask) -> None:
    asgi = FlaskASGI(app, threads=2)
    lock = threading.Lock()
    running: list[int] = []
    most: list[int] = []
    pair = threading.Barrier(2, timeout=20)

    @app.get("/<int:number>")
    def view(number: int) -> str:
        with lock:
            running.append(number)
            most.append(len(running))
        pair.wait()
        with lock:
            running.remove(number)
        return "ok"

    answers = await asyncio.gather(*(ask(asgi, f"/{number}") for number in range(10)))
    assert {answer.text for answer in answers} == {"ok"}
    assert max(most) == 2
