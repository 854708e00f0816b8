"""Compares background jobs with those of other libraries: ``python -m bench.queues [COUNT [ROUNDS]]``.

They take turns, each in a process and on a database of its own; the least of the rounds is printed.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from bench.databases import databases
from bench.progress import Progress
from bench.servers import ROOT

REDIS_URL = os.environ.get("BENCH_REDIS_URL", "redis://127.0.0.1:6379/0")
ON_POSTGRESQL = ("carboy", "pgqueuer", "procrastinate")


def run(peer: str, url: str, count: int) -> dict[str, Any]:
    paths = os.pathsep.join(map(str, (ROOT / "src", ROOT)))
    done = subprocess.run(
        [sys.executable, "-m", "bench.queues_peers", peer, url, str(count)],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": paths},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(f"{peer} failed:\n{done.stderr}")
    took: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return took


def measure(count: int, rounds: int) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = {}
    progress = Progress("jobs", rounds * (len(ON_POSTGRESQL) + 2))
    for _ in range(rounds):
        with tempfile.TemporaryDirectory() as folder:
            with databases("postgresql", [*ON_POSTGRESQL], Path(folder), 1) as urls:
                for peer, url in [*urls.items(), ("taskiq-redis", REDIS_URL)]:
                    found.setdefault(peer, []).append(run(peer, url, count))
                    progress.step(peer)
            with databases("sqlite", ["carboy"], Path(folder), 1) as urls:
                found.setdefault("carboy on SQLite", []).append(run("carboy", urls["carboy"], count))
                progress.step("carboy on SQLite")
    return found


def show(found: dict[str, list[dict[str, Any]]]) -> None:
    print("| | enqueue, µs | its server, µs | work, µs | its server, µs | jobs worked off a second |")
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    for peer, rounds in found.items():

        def least(step: str, what: str, rounds: list[dict[str, Any]] = rounds) -> float:
            return min(float(one[step][what]) for one in rounds)

        figures = [
            least(step, what) for step in ("enqueue", "work") for what in ("microseconds", "server_microseconds")
        ]
        fastest = max(one["work"]["per_second"] for one in rounds)
        print(f"| {peer} | {' | '.join(f'{figure:,.0f}' for figure in [*figures, fastest])} |")


if __name__ == "__main__":
    arguments = [int(one) for one in sys.argv[1:]]
    show(measure(*(arguments + [2000, 3][len(arguments) :])))
