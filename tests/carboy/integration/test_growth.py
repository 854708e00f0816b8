"""What each further domain costs, told by counts that are the same on every machine. `make bench` measures times."""

import pytest

from bench.domains import probe, write_project

MANY = 20

pytestmark = pytest.mark.timeout(120)


@pytest.fixture(scope="module")
def figures(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, float]]:
    """What a project with one generated domain costs, and one with many more."""
    folder = tmp_path_factory.mktemp("growth")
    return [probe(write_project(folder / str(number), number), "count") for number in (1, 1 + MANY)]


def a_domain(figures: list[dict[str, float]], name: str) -> float:
    one, many = figures
    return (many[name] - one[name]) / MANY


def test_a_domain_adds_at_most_15_kilobytes_to_the_document(figures: list[dict[str, float]]) -> None:
    assert a_domain(figures, "document") <= 15_000


def test_the_document_takes_the_schemas_of_a_domain_from_its_models(figures: list[dict[str, float]]) -> None:
    # An adapter is made for the id in the path alone; making one for each use of a model took half of the time.
    assert a_domain(figures, "__init__") == 1


def test_the_source_of_a_domain_is_read_once_for_the_descriptions_of_all_its_schemas(
    figures: list[dict[str, float]],
) -> None:
    assert a_domain(figures, "findsource") <= 1


def test_a_domain_has_each_of_its_models_built_once(figures: list[dict[str, float]]) -> None:
    assert a_domain(figures, "complete_model_class") == 5


def test_a_start_looks_for_no_garbage(figures: list[dict[str, float]]) -> None:
    assert [project["collections"] for project in figures] == [0, 0]


def test_no_model_of_a_domain_is_searched_for_what_is_injected(figures: list[dict[str, float]]) -> None:
    assert a_domain(figures, "_patch_method") <= 70


def test_a_request_does_as_much_with_many_domains_as_with_one(figures: list[dict[str, float]]) -> None:
    # One call more or less in the whole is the chance of a run that is traced.
    assert a_domain(figures, "calls") <= 1 / MANY
