"""Serves with hypercorn, and says in a sentence why it cannot: ``python -m carboy``.

hypercorn's own command opens the port before it loads the application, and ends with a traceback if it cannot. Nothing
of the application is imported here: the process that serves does that.
"""

import argparse
import tomllib

from hypercorn.config import Config, Sockets
from hypercorn.run import run
from hypercorn.utils import NoAppError


class ServerConfig(Config):
    """hypercorn's configuration, which names the addresses that cannot be opened."""

    def create_sockets(self) -> Sockets:
        """Open the addresses.

        Raises:
            SystemExit: One is in use, not allowed or no address.
        """
        try:
            return super().create_sockets()
        except (OSError, OverflowError) as error:
            reason = error.strerror if isinstance(error, OSError) else "there is no such port"
            raise SystemExit(
                f"{', '.join(self.bind)}: {reason}. Serve elsewhere, as with --bind 127.0.0.1:8001."
            ) from None


def main() -> int:
    """Serve until a signal ends it, and return hypercorn's exit status.

    Raises:
        SystemExit: It cannot be served, with the reason.
    """
    arguments = _parser().parse_args()
    try:
        config = ServerConfig.from_toml(arguments.config)
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise SystemExit(f"{arguments.config}: {getattr(error, 'strerror', None) or error}.") from None
    config.application_path = arguments.application
    config.bind = arguments.bind or config.bind
    config.workers = config.workers if arguments.workers is None else arguments.workers
    if arguments.check:
        config.create_sockets()
        return 0
    try:
        return run(config)
    except NoAppError as error:
        raise SystemExit(str(error)) from None


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m carboy", description="Serve an application with hypercorn.")
    parser.add_argument("application", nargs="?", default="asgi:app", help="module:name, asgi:app by default")
    parser.add_argument("--config", default="hypercorn.toml", help="hypercorn's settings, hypercorn.toml by default")
    parser.add_argument("--bind", action="append", help="host:port, unix:path or fd://number; may be repeated")
    parser.add_argument("--workers", type=int, help="processes beside their master; 0 for one that is its own")
    parser.add_argument("--check", action="store_true", help="only see whether the addresses can be opened")
    return parser
