"""What is wrong with the machine that a configuration is used on: folders, missing extras, and Flask's debug mode."""

import os
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from carboy.config.database_urls import parse_url
from carboy.config.extras import missing_extras
from carboy.config.settings import Settings

OFF = {"", "0", "false", "no"}
"""What Flask takes for a debug mode that is off."""


def unfit_surroundings(settings: Settings, environ: Mapping[str, str]) -> Iterator[str]:
    """Yield a line for each reason not to serve with these settings here."""
    if settings.environment.is_deployed and environ.get("FLASK_DEBUG", "").lower() not in OFF:
        yield f"FLASK_DEBUG is on: whoever meets an error could run code; unset it in {settings.environment}."
    yield from missing_extras(settings)
    url = parse_url(settings.database.url.get_secret_value()).url
    if url.get_backend_name() == "sqlite":
        yield from _unfit_file(Path(url.database or ""), f"(from {settings.source_of('database.url')})")
    if settings.mail.transport == "files":
        yield from _unfit_folder("mail.folder", settings.mail.folder, f"(from {settings.source_of('mail.folder')})")
    try:
        tempfile.gettempdir()
    except FileNotFoundError:
        yield "Large request bodies wait in temporary files, and there is no folder for them; set TMPDIR."


def _unfit_file(file: Path, source: str) -> Iterator[str]:
    if not file.parent.is_dir():
        yield f"database.url: there is no folder {file.parent}; `flask db upgrade` makes it {source}."
        return
    yield from _unfit_folder("database.url", file.parent, source)
    if file.exists() and not os.access(file, os.W_OK):
        yield f"database.url: {file} cannot be written to {source}."


def _unfit_folder(key: str, folder: Path, source: str) -> Iterator[str]:
    # The nearest one that is there: the others are made when they are needed.
    present = next(one for one in (folder, *folder.parents) if one.exists())
    try:
        with tempfile.TemporaryFile(dir=present):
            pass
    except OSError as error:
        yield f"{key}: nothing can be written to {present} ({error.strerror}) {source}."
