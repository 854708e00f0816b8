"""What the bridge replaces in hypercorn does what hypercorn means to do."""

import asyncio
from importlib.metadata import version

from hypercorn.asyncio.worker_context import EventWrapper
from hypercorn.protocol import h2

from carboy.bridge import hypercorn_leaks

FRAME = 16384
SLICE = bytes(65536)


async def test_a_stream_waits_for_a_client_that_reads_nothing() -> None:
    buffer = hypercorn_leaks.BoundedStreamBuffer(EventWrapper)
    pushing = asyncio.create_task(buffer.push(SLICE))
    await asyncio.sleep(0)
    assert await buffer.pop(0) == b""
    await asyncio.sleep(0)
    assert not pushing.done()
    while buffer.buffer:
        assert await buffer.pop(FRAME) == bytes(FRAME)
    await pushing


async def test_a_stream_goes_on_before_its_buffer_is_empty() -> None:
    buffer = hypercorn_leaks.BoundedStreamBuffer(EventWrapper)
    pushing = asyncio.create_task(buffer.push(SLICE))
    await asyncio.sleep(0)
    await buffer.pop(len(SLICE) - 1)
    await pushing
    assert not buffer.complete


def test_hypercorn_is_the_version_whose_leaks_are_known() -> None:
    """When this fails, see whether the new version still leaks; the tests in e2e that fail without the mending tell."""
    assert version("hypercorn") == hypercorn_leaks.LEAKING_VERSION
    hypercorn_leaks.mend()
    assert h2.StreamBuffer is hypercorn_leaks.BoundedStreamBuffer
