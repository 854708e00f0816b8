"""``make profile JOB=one``: shows where the time of a request goes, as a table and as a flame graph.

py-spy looks at the running application many times a second, at the thread that then holds Python's lock; what stands on
the stack of the event loop's thread shares out the processor time of that thread, system calls like all else. Behind
a server the same work takes longer than alone in a loop, as other work has come between and emptied the caches. So the
time behind a server is measured too, and shared out in the same proportions; the server's own part is what a bare ASGI
function takes there.
"""

import os
import re
import statistics
import subprocess
import sys
import tempfile
from collections import Counter
from html import escape
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench.databases import databases
from bench.jobs import JOBS
from bench.load import require_wrk, run_load
from bench.servers import ROOT, Cores, Server, serve_all

RATE = 200
"""Looks a second; many more would slow down what is looked at."""
ROUNDS = 5
"""Times that each server is measured, for two seconds."""
LAYERS = {
    "bridge": r"carboy/bridge",
    "Flask and werkzeug": r"flask/|werkzeug/|blinker/|carboy/web",
    "log": r"carboy/telemetry|logging/|structlog/",
    "injection": r"dependency_injector/",
    "pydantic": r"pydantic|email_validator/",
    "routes, services, DAOs": r"src/app/|carboy/(api|services|daos|schemas|models|idempotency)/",
    "unit of work": r"carboy/db/(database|connection_cache|connection_queue|greenlets)",
    "SQLAlchemy": r"sqlalchemy/",
    "driver": r"aiosqlite/|asyncpg/|carboy/db/",
    "event loop": r"asyncio/|uvloop/",
}
THREADS = "threads of SQLite's connections"
SERVER = "server and ASGI"
ROOTS = ("FlaskASGI", "PooledGreenlet.run")
"""Where the stack of a request begins: a greenlet's is its own, whoever switched to it."""
WIDTH, ROW = 1400, 17

Stack = tuple[str, ...]


def main() -> None:
    job, kind = os.environ.get("JOB", ""), os.environ.get("DB", "sqlite")
    names = [job.name for job in JOBS]
    if job not in names or kind not in {"sqlite", "postgresql"}:
        raise SystemExit(f"Name a job, JOB={'|'.join(names)}, and if you like DB=sqlite|postgresql.")
    require_wrk()
    stacks, microseconds, in_loop = look(job, kind)
    behind, server = measure_served(job, kind)
    console = Console()
    console.print(
        f"{job} on {kind}: {microseconds:.0f} µs of CPU time per request without a server, {behind:.0f} behind one"
    )
    console.print(_layers(_costs(stacks, microseconds, in_loop), behind, server))
    console.print(_functions(Counter(_self_times(stacks)), in_loop))
    path = ROOT / "var" / f"profile-{job}-{kind}.svg"
    path.write_text(flame_graph(stacks), encoding="utf-8")
    console.print(f"The flame graph: {path.relative_to(ROOT)}")


def measure_served(name: str, kind: str) -> tuple[float, float]:
    """Return the CPU microseconds of a request behind a server, and of that the server's own."""
    job, static = (next(job for job in JOBS if job.name == wanted) for wanted in (name, "static"))
    cores = Cores.found()
    with (
        tempfile.TemporaryDirectory() as folder,
        databases(kind, ["carboy", "raw"], Path(folder)) as urls,
        serve_all(urls, "hypercorn", cores.server) as running,
    ):

        def measure(server: Server) -> float:
            return run_load(server, static if server.peer == "raw" else job, 2, cores.load).cpu_microseconds

        rounds = [(measure(running["carboy"]), measure(running["raw"])) for _ in range(ROUNDS + 1)][1:]
    behind, server = (statistics.median(costs) for costs in zip(*rounds, strict=True))
    return behind, server


def look(job: str, kind: str) -> tuple[Counter[Stack], int, int]:
    """Return how often each stack was seen, and the CPU microseconds of a request, in all threads and in the loop's."""
    with tempfile.NamedTemporaryFile() as folded:
        command = ["py-spy", "record", "--rate", str(RATE), "--duration", "600", "--format", "raw", "--gil", "--output",
                   folded.name, "--", sys.executable, "-m", "bench.inprocess", job, kind]  # fmt: skip
        environment = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
        log = ROOT / "var" / "profile.log"
        log.parent.mkdir(exist_ok=True)
        with log.open("wb") as errors:
            done = subprocess.run(
                command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=errors, check=False
            )
        if done.returncode:
            raise SystemExit(f"py-spy failed, see {log}")
        microseconds, in_loop = re.findall(rb"^(\d+) (\d+)$", done.stdout, re.MULTILINE)[-1]
        return _parse(Path(folded.name).read_text(encoding="utf-8")), int(microseconds), int(in_loop)


def _parse(folded: str) -> Counter[Stack]:
    """Read py-spy's lines, each a stack and a number, and leave out what no request caused."""
    stacks: Counter[Stack] = Counter()
    for line in folded.splitlines():
        frames, _, count = line.rpartition(" ")
        stack = [re.sub(r":\d+\)$", ")", frame) for frame in frames.split(";")]
        starts = [index for index, frame in enumerate(stack) if frame.startswith(ROOTS)]
        if starts:
            stacks[tuple(stack[starts[0] :])] += int(count)
    return stacks


def _by_layer(stacks: Counter[Stack]) -> Counter[str]:
    """Give each sight to the innermost frame of a known layer: what the standard library does is done for someone."""
    layers: Counter[str] = Counter()
    for stack, count in stacks.items():
        found = (layer for frame in reversed(stack) if (layer := _layer(frame)) is not None)
        layers[next(found, "other")] += count
    return layers


def _layer(frame: str) -> str | None:
    return next((name for name, files in LAYERS.items() if re.search(rf"\(({files})", frame)), None)


def _self_times(stacks: Counter[Stack]) -> Counter[str]:
    times: Counter[str] = Counter()
    for stack, count in stacks.items():
        times[stack[-1]] += count
    return times


def _costs(stacks: Counter[Stack], microseconds: float, in_loop: float) -> dict[str, float]:
    """Return the CPU microseconds of each layer."""
    counted = _by_layer(stacks)
    costs = {name: counted[name] / counted.total() * in_loop for name in (*LAYERS, "other")}
    return costs | {THREADS: microseconds - in_loop}


def _layers(costs: dict[str, float], behind: float, server: float) -> Table:
    table = Table("layer", title="by layer, in µs", title_justify="left")
    for title in ("share", "alone", "behind a server"):
        table.add_column(title, justify="right")
    total = sum(costs.values())
    for name, cost in costs.items():
        if round(cost):
            share = cost / total
            table.add_row(name, f"{share:.1%}", f"{cost:.0f}", f"{share * (behind - server):.0f}")
    table.add_row(SERVER, "", "", f"{server:.0f}")
    table.add_row("all", "100.0%", f"{total:.0f}", f"{behind:.0f}")
    return table


def _functions(counted: Counter[str], microseconds: float) -> Table:
    table = Table("function", title="by function of the loop's thread, in µs, without a server", title_justify="left")
    table.add_column("share", justify="right")
    table.add_column("µs", justify="right")
    for name, count in counted.most_common(25):
        share = count / counted.total()
        table.add_row(name, f"{share:.1%}", f"{share * microseconds:.1f}")
    return table


def flame_graph(stacks: Counter[Stack]) -> str:
    """Draw stacks as an SVG: each frame as wide as the time it was seen, callers below what they call."""
    boxes: list[str] = []
    depth = max(map(len, stacks))

    def draw(level: int, left: float, below: Counter[Stack]) -> None:
        by_frame: dict[str, Counter[Stack]] = {}
        for stack, count in below.items():
            if len(stack) > level:
                by_frame.setdefault(stack[level], Counter())[stack] += count
        for frame, inner in sorted(by_frame.items()):
            width = inner.total() / stacks.total() * WIDTH
            if width >= 1:
                boxes.append(_box(frame, left, (depth - level) * ROW, width, inner.total() / stacks.total()))
                draw(level + 1, left, inner)
            left += width

    draw(0, 0.0, stacks)
    height = (depth + 2) * ROW
    style = "text{font:11px sans-serif;pointer-events:none} rect{stroke:#fff;stroke-width:.5}"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}"><style>{style}</style>'
        f"{''.join(boxes)}</svg>\n"
    )


def _box(frame: str, left: float, top: float, width: float, share: float) -> str:
    layer = _layer(frame)
    colour = "#d4d4d4" if layer is None else f"hsl({list(LAYERS).index(layer) * 360 // len(LAYERS)} 70% 75%)"
    shown = frame.partition(" (")[0][: int(width / 6)] if width > 25 else ""
    return (
        f'<g><title>{escape(frame)} {share:.1%}</title><rect x="{left:.1f}" y="{top}" width="{width:.1f}" '
        f'height="{ROW - 1}" fill="{colour}"/><text x="{left + 3:.1f}" y="{top + 12}">{escape(shown)}</text></g>'
    )


if __name__ == "__main__":
    main()
