"""The extras of the package that some settings need: what is missing is told before anything starts."""

from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any

from carboy.config.settings import Settings

EXTRAS = {
    "limits.redis_url": ("redis", "redis"),
    "tracing.endpoint": ("opentelemetry.exporter.otlp.proto.http", "otel"),
    "sentry.dsn": ("sentry_sdk", "sentry"),
}
"""By the key that wants it, a module of each extra, and the extra's name."""


def missing_extras(settings: Settings) -> Iterator[str]:
    """Yield a line for each extra that the settings want and nobody has installed."""
    for key, (module, extra) in EXTRAS.items():
        section, _, name = key.partition(".")
        value: Any = getattr(getattr(settings, section), name)
        if value is not None and not _is_installed(module):
            source = settings.source_of(key)
            yield f"{key}: what it needs is not installed; pip install 'carboy[{extra}]' (from {source})."


def _is_installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:
        # One of its parents is not there.
        return False
