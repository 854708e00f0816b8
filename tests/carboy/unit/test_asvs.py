"""docs/security/asvs.md has a row for each requirement that applies, and what shows it is there."""

import ast
import re
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[3]
DOCUMENT = ROOT / "docs" / "security" / "asvs.md"
APPLY = """
2.3.1 2.3.3 2.4.1
3.2.1 3.2.2 3.3.1 3.3.2 3.3.3 3.3.4 3.4.1 3.4.2 3.4.3 3.4.4 3.4.5 3.4.6 3.5.1 3.5.2 3.5.3 3.7.2
4.1.1 4.1.2 4.1.3 4.2.1
6.1.1 6.1.2 6.1.3 6.2.1 6.2.2 6.2.3 6.2.4 6.2.5 6.2.6 6.2.7 6.2.8 6.2.9 6.2.10 6.2.11 6.2.12 6.3.1 6.3.2 6.3.3
6.3.4 6.3.8 6.4.1 6.4.2 6.4.3 6.4.4 6.5.1 6.5.2 6.5.3 6.5.4 6.5.5 6.6.2 6.6.3 6.8.1 6.8.2 6.8.4
7.1.1 7.1.2 7.1.3 7.2.1 7.2.2 7.2.3 7.2.4 7.3.1 7.3.2 7.4.1 7.4.2 7.4.3 7.4.4 7.4.5 7.5.1 7.5.2 7.6.1 7.6.2
8.1.1 8.1.2 8.2.1 8.2.2 8.2.3 8.3.1 8.4.1
9.1.1 9.1.2 9.1.3 9.2.1 9.2.2 9.2.3
10.1.1 10.1.2 10.2.1 10.2.2 10.3.1 10.4.5 10.4.8 10.4.9 10.5.1 10.5.2 10.5.3 10.5.4 10.5.5
11.1.1 11.1.2 11.2.2 11.3.1 11.3.2 11.4.1 11.4.2 11.5.1
12.1.1 12.3.1 12.3.2
13.1.1 13.1.2 13.2.4 13.3.1 13.4.1 13.4.2 13.4.3 13.4.4 13.4.5
14.1.1 14.2.1 14.2.4 14.3.1 14.3.2
15.1.1 15.1.2 15.1.3 15.2.1 15.2.2 15.3.1 15.3.2 15.3.3 15.3.4 15.3.7 15.4.2
16.1.1 16.2.1 16.2.2 16.2.5 16.3.1 16.3.2 16.3.3 16.4.1 16.4.2 16.4.3 16.5.1 16.5.2 16.5.3
"""
"""The requirements of levels 1 and 2 that concern an API with accounts and pages."""
ROW = re.compile(r"\| (\d+\.\d+\.\d+) \| (.+) \| (.+) \| (.+) \|")


def rows() -> list[tuple[str, str, str, str]]:
    found = [ROW.fullmatch(line) for line in DOCUMENT.read_text(encoding="utf-8").splitlines()]
    return [(row[1], row[2], row[3], row[4]) for row in found if row is not None]


@cache
def functions_of(path: str) -> set[str]:
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}


def test_each_requirement_has_one_row() -> None:
    numbers = [number for number, *_ in rows()]
    assert sorted(numbers) == sorted(APPLY.split())


def test_each_row_names_a_test_that_is_there_or_where_it_is_written_down() -> None:
    named = {number: re.findall(r"`([\w/]+\.py)::(test_\w+)`", shown) for number, _, _, shown in rows()}
    links = {number for number, _, _, shown in rows() if re.search(r"\]\([^)]+\.md", shown)}
    assert [number for number, tests in named.items() if not tests and number not in links] == []
    assert sum(map(bool, named.values())) > 100
    missing = [
        (number, path, name)
        for number, tests in named.items()
        for path, name in tests
        if not (ROOT / path).is_file() or name not in functions_of(path)
    ]
    assert missing == []
