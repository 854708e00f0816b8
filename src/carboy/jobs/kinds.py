"""The kinds of job that an application has, by name, and what the container gives to each."""

from collections.abc import Iterator, Mapping
from types import ModuleType
from typing import Annotated, Any, ForwardRef, get_args, get_origin

from dependency_injector.providers import Provider

from carboy.config.keys import options_of
from carboy.di.checks import check_marker
from carboy.di.paths import resolve
from carboy.di.provider_types import UnknownAttributeError, marker_of, product_of
from carboy.jobs.declaring import Job
from carboy.jobs.runs import JobRun


def jobs_in(module: ModuleType) -> list[Job[...]]:
    """Return the jobs that a module declares."""
    return [one for one in vars(module).values() if isinstance(one, Job) and one.function.__module__ == module.__name__]


class JobKinds:
    """All kinds of job, by name."""

    def __init__(self, *jobs: Job[...]) -> None:
        self._jobs: dict[str, Job[...]] = {job.name: job for job in jobs}
        self._twice = [job for job in jobs if self._jobs[job.name] is not job]

    def find(self, name: str) -> Job[...] | None:
        return self._jobs.get(name)

    def require(self, job: Job[...]) -> None:
        """Raise a `RuntimeError` if no worker would know this kind."""
        known = self._jobs.get(job.name)
        if known is None or known.function is not job.function:
            raise RuntimeError(
                f"The container does not know {job.name}: add {job.function.__module__} to its job_kinds."
            )

    def __iter__(self) -> Iterator[Job[...]]:
        return iter(self._jobs.values())

    def check_wiring(self, providers: Mapping[str, Provider[Any]]) -> Iterator[str]:
        """Yield a line for each argument that the container could not give."""
        for job in self._twice:
            other = self._jobs[job.name].function.__module__
            yield f"job {job.name} ({job.function.__module__}): {other} has one of that name; give one another"
        for job in self:
            for name, parameter in job.injected.items():
                place = f"job {job.name} ({job.function.__module__})"
                yield from (f"{place}: {problem}" for problem in _check(providers, name, parameter))


def _check(providers: Mapping[str, Provider[Any]], name: str, parameter: Any) -> Iterator[str]:
    marker = marker_of(parameter)
    if marker is None:
        if parameter.annotation is not JobRun:
            yield f"argument {name} is neither the JobRun nor marked by Provide"
        return
    wanted = _forward_name(parameter.annotation)
    if wanted is None:
        yield from check_marker(providers, name, parameter, marker)
        return
    # The module that declares the job may not import that of the class, which enqueues it.
    yield from check_marker(providers, name, parameter.replace(annotation=Any), marker)
    provider = resolve(providers, marker.provider)
    if provider is not None and wanted not in _names_of(provider):
        yield f"argument {name} wants {wanted}, and {marker.provider} gives {' or '.join(_names_of(provider)[:1])}"


def _forward_name(annotation: Any) -> str | None:
    """Return the name of a class that stands in quotes within an annotation."""
    if get_origin(annotation) is not Annotated:
        return None
    kind = get_args(annotation)[0]
    return kind.__forward_arg__.rpartition(".")[2] if isinstance(kind, ForwardRef) else None


def _names_of(provider: Provider[Any]) -> list[str]:
    try:
        products = list(options_of(product_of(provider)))
    except UnknownAttributeError:
        return []
    return [one.__name__ for product in products for one in getattr(product, "__mro__", ())]
