"""`flask jobs`."""

import asyncio
from collections.abc import Callable, Iterator

import pytest
from click.testing import Result
from flask import Flask
from support.jobs import JOBS, JobContainer, RefusedError, Script, act, send, work_off

from carboy.config.settings import Settings
from carboy.di.wiring import unwire
from carboy.jobs.kinds import JobKinds
from carboy.testing import MemoryDatabase, override

Say = Callable[..., Result]


@pytest.fixture
def container(settings: Settings, database: MemoryDatabase) -> Iterator[JobContainer]:
    container = JobContainer()
    jobs = settings.jobs.model_copy(update={"queues": ("default:4", "mail:1")})
    own = settings.model_copy(update={"jobs": jobs})
    with override(container, settings=own, database=database, job_kinds=JobKinds(*JOBS)):
        yield container


@pytest.fixture
def say(container: JobContainer, create_app: Callable[[JobContainer], Flask]) -> Iterator[Say]:
    app = create_app(container)
    yield lambda *words: app.test_cli_runner().invoke(args=["jobs", *words])
    unwire(container)


def run(container: JobContainer, *labels: str) -> None:
    """Enqueue jobs and run them."""

    async def enqueue() -> None:
        for label in labels:
            await container.jobs().enqueue(send if label == "refused" else act, label)
        await work_off(container.job_worker())

    asyncio.run(enqueue())


def test_jobs_are_listed_shown_and_retried(container: JobContainer, say: Say) -> None:
    script: Script = container.script()
    script.raises("refused", RefusedError("550 no such user"))
    run(container, "fine", "refused")
    listed = say("list").output.splitlines()
    assert [line.split()[:4] for line in listed] == [
        ["ID", "STATE", "KIND", "ATTEMPT"],
        ["2", "dead", "send", "1"],
        ["1", "done", "act", "1"],
    ]
    assert listed[1].endswith("RefusedError: 550 no such user")
    assert say("list", "--state", "dead", "--kind", "act").output.splitlines()[1:] == []
    shown = say("show", "2").output
    assert 'payload              {"label":"refused"}' in shown
    assert "RefusedError: 550 no such user" in shown.splitlines()[-1]
    assert say("retry", "2").output == "2 waits again.\n"
    assert say("queues").output.splitlines()[1].split()[:4] == ["mail", "1", "0", "0"]
    assert say("drop", "2").output == "2 is deleted.\n"


def test_what_cannot_be_done_is_said_and_fails_the_command(container: JobContainer, say: Say) -> None:
    run(container, "fine")
    for words, message in (
        (("show", "7"), "Error: There is no such job.\n"),
        (("retry", "1"), "Error: 1: Job 1 is done and cannot be retried.\n"),
        (("cancel", "1"), "Error: 1: Job 1 is done and cannot be cancelled.\n"),
        (("drop", "8"), "Error: 8: There is no such job.\n"),
    ):
        result = say(*words)
        assert (result.exit_code, result.output) == (1, message)


def test_a_queue_is_paused_and_resumed(container: JobContainer, say: Say) -> None:
    assert say("pause", "mail").output == "mail is paused.\n"
    assert say("pause", "mail").output == "mail was paused already.\n"
    assert say("queues").output.splitlines()[1].split() == ["mail", "0", "0", "0", "-", "paused"]
    assert say("resume", "mail").output == "mail goes on.\n"
    assert say("resume", "mail").output == "mail was not paused.\n"


def test_a_worker_takes_no_queue_that_there_is_not(say: Say) -> None:
    result = say("work", "--queue", "post")
    assert (result.exit_code, result.output) == (1, "Error: jobs.queues: there is no post.\n")
