"""The API's document with what the shipped API has not, for the tests of what is generated from it."""

from pathlib import Path

from support.streaming import StreamingContainer, create_streaming_app

from app.settings import Settings
from carboy.api.openapi.document import describe, spell
from carboy.di.wiring import unwire
from carboy.testing import override


def write_document(folder: Path, settings: Settings) -> Path:
    """Write the document of the whole application with streams of events besides, and return its file."""
    container = StreamingContainer()
    with override(container, settings=settings):
        document = describe(create_streaming_app(container))
        unwire(container)
    file = folder / "openapi.json"
    file.write_text(spell(document), encoding="utf-8")
    return file
