"""A thousand unit tests of a domain, each of which creates, gets and lists through the client."""

import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SUITE = """
import httpx
import pytest


@pytest.mark.parametrize("number", range(1000))
async def test_a_user_is_found_once_created(client: httpx.AsyncClient, number: int) -> None:
    created = await client.post("/api/users", json={"username": f"u{number}", "email": f"u{number}@example.org"})
    assert created.status_code == 201
    assert (await client.get(created.headers["Location"])).json() == created.json()
    assert (await client.get("/api/users")).json()["items"] == [created.json()]
"""


@pytest.mark.timeout(300)
def test_a_thousand_unit_tests(tmp_path: Path, show: Callable[[str], None]) -> None:
    shutil.copy(ROOT / "tests" / "conftest.py", tmp_path)
    (tmp_path / "test_thousand.py").write_text(SUITE)
    options = ["-q", "-p", "no:xdist", "-p", "no:cacheprovider", "--no-cov", "-c", str(ROOT / "pyproject.toml")]
    began = time.perf_counter()
    done = subprocess.run(  # noqa: S603 - the test chooses what is run.
        [sys.executable, "-m", "pytest", *options, str(tmp_path)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    show(f"1,000 unit tests on a database in memory: {time.perf_counter() - began:.1f} s")
    assert "1000 passed" in done.stdout, done.stdout + done.stderr
