"""What is generated from the API's document for TypeScript compiles, and works against a real server.

tests/clients/users.ts uses the types, schemas.ts the zod schemas of hey-api, invoices.ts both for the domain of
docs/a-larger-domain.md. Nothing that is generated is kept.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.accounts import KEY, add_person
from support.carboy_server import PROJECT, CarboyServer, database_file, migrated_copy
from support.larger import LargerProject

IF_MATCH = {"CARBOY_HTTP__REQUIRE_IF_MATCH": "true"}
CLIENTS = PROJECT / "tests" / "clients"
REQUIRED = "CARBOY_TEST_REQUIRE_NODE"
# Neither is a registry asked for news, nor anyone told what is run.
QUIET = {"REDOCLY_TELEMETRY": "off", "REDOCLY_SUPPRESS_UPDATE_NOTICE": "true", "NO_UPDATE_NOTIFIER": "1"}

COMPARE_PATTERNS = r"""
for (const pattern of JSON.parse(process.env.PATTERNS)) {
  const spelt = pattern.replace(/\\u([0-9a-f]{4})/gi, (_, code) => String.fromCharCode(parseInt(code, 16)));
  const literal = new Function(`return /${spelt}/`)(), meant = new RegExp(pattern, "u");
  for (let code = 0; code < 0xd800; code++) {
    const character = String.fromCharCode(code);
    if (literal.test(character) !== meant.test(character)) throw new Error(`${pattern}: ${code}`);
  }
}
"""

PASSWORD = "seven grey herons over the weir"

# Packages may have to be downloaded, and the compiler takes its time.
pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the clients' sources and the packages that they need, as their lock pins them."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        reason = f"node and npm are not both installed: no TypeScript client is tested ({REQUIRED}=1 makes this fail)"
        (pytest.fail if os.environ.get(REQUIRED) == "1" else pytest.skip)(reason)
    folder = tmp_path_factory.mktemp("node") / "clients"
    shutil.copytree(CLIENTS, folder, ignore=shutil.ignore_patterns("node_modules"))
    run(folder, "npm", "ci", "--prefer-offline")
    return folder


@pytest.fixture(scope="module")
def document(larger_project: LargerProject) -> Path:
    return larger_project.document


@pytest.fixture(scope="module")
def programs(node: Path, document: Path) -> Path:
    """The folder of the programs, checked with what is generated from the document, and compiled.

    What is generated is no declaration file: the compiler would take it for a library's, which it does not check.
    """
    # With a default, a property of a request is optional still.
    run_package(node, "openapi-typescript", str(document), "--default-non-nullable=false", "--output", "api.ts")
    run_package(node, "openapi-ts", "--input", str(document), "--output", "schemas", "--plugins", "zod")
    run_package(node, "tsc")
    return node / "built"


@pytest.fixture
def server(larger_project: LargerProject, tmp_path: Path, program: str) -> Iterator[CarboyServer]:
    environment = migrated_copy(larger_project.database, tmp_path)
    if program == "users.js":
        add_person(database_file(environment), "pat", PASSWORD)
    with larger_project.serve(environment | IF_MATCH) as server:
        yield server


def run(folder: Path, *command: str, **environment: str) -> None:
    result = subprocess.run(  # noqa: S603 - the tests choose what is run.
        command, cwd=folder, env=os.environ | QUIET | environment, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stdout + result.stderr


def run_package(node: Path, program: str, *arguments: str) -> None:
    """Run a program of a package, without npx, which takes longer to start than some of them."""
    run(node, str(node / "node_modules" / ".bin" / program), *arguments)


def test_the_lock_names_no_download_address() -> None:
    assert '"resolved"' not in (CLIENTS / "package-lock.json").read_text(encoding="utf-8")


def test_the_document_passes_a_strict_lint(node: Path, document: Path) -> None:
    run_package(node, "redocly", "lint", "--config", "redocly.yaml", str(document))


def test_patterns_can_stand_in_a_program_with_their_characters_spelt_out(node: Path, document: Path) -> None:
    # As hey-api's zod plugin writes them: a line separator would end the line within the expression.
    patterns = re.findall(r'"pattern": (".*")', document.read_text(encoding="utf-8"))
    assert patterns
    run(node, "node", "--eval", COMPARE_PATTERNS, PATTERNS=f"[{','.join(patterns)}]")


@pytest.mark.parametrize("program", ["users.js", "schemas.js", "invoices.js"])
def test_a_program_works_with_what_is_generated(programs: Path, server: CarboyServer, program: str) -> None:
    run(programs, "node", program, CARBOY_URL=server.url, CARBOY_TOKEN=KEY, CARBOY_PASSWORD=PASSWORD)
