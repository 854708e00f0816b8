"""Says as JSON what a project of many domains costs: `bench.domains` runs it there, in a process of its own."""

# ruff: noqa: E402, PLC0415 - what is imported is what is measured.
import time

STARTED = time.process_time()

import asyncio
import gc
import inspect
import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

REQUESTS = 1000


def count(owner: Any, name: str, counts: Counter[str]) -> None:
    """Count the calls of a function from now on."""
    original = getattr(owner, name)

    def counted(*arguments: Any, **options: Any) -> Any:
        counts[name] += 1
        return original(*arguments, **options)

    setattr(owner, name, counted)


def memory() -> int:
    return int(Path("/proc/self/statm").read_text(encoding="utf-8").split()[1]) * 4096


async def request_costs(asgi: Any) -> dict[str, float]:
    """Return the microseconds and the function calls of a request that needs no database, when all is warm."""
    from carboy.testing.client import client_of

    path, calls = "/api/users/none", [0]

    def see(_frame: Any, event: str, _argument: Any) -> None:
        calls[-1] += event == "call"

    async with client_of(asgi) as client:
        for _ in range(20):
            await client.get(path)
        for _ in range(9):
            calls.append(0)
            sys.setprofile(see)
            await client.get(path)
            sys.setprofile(None)
        gc.collect()
        begun = time.process_time()
        for _ in range(REQUESTS):
            await client.get(path)
        taken = (time.process_time() - begun) / REQUESTS * 1e6
    # The least, as some of them meet the beginning of a second, for which a date is written.
    return {"calls": min(calls[1:]), "request_us": taken}


def main() -> None:
    from dependency_injector import wiring
    from pydantic import TypeAdapter
    from pydantic._internal import _model_construction

    counts: Counter[str] = Counter()
    if "count" in sys.argv:
        count(inspect, "findsource", counts)
        count(_model_construction, "complete_model_class", counts)
        count(wiring, "_patch_method", counts)
    collections = sum(generation["collections"] for generation in gc.get_stats())
    import asgi

    counts["collections"] = sum(generation["collections"] for generation in gc.get_stats()) - collections
    start = (time.process_time() - STARTED) * 1e3
    resident = memory()
    from carboy.api.openapi.document import describe, pack

    begun = time.process_time()
    if "count" in sys.argv:
        count(TypeAdapter, "__init__", counts)
    document = pack(describe(asgi.flask_app))
    figures = {"start_ms": start, "memory": resident, "document": len(document)}
    figures |= {"describe_ms": (time.process_time() - begun) * 1e3} | asyncio.run(request_costs(asgi.app)) | counts
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
