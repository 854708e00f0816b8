"""Says in a sentence why a port cannot be opened: ``python -m carboy.server.port HOST PORT``.

hypercorn opens its port before it loads the application, so that none can put what it says then into a sentence.
"""

import socket
import sys


def check_port(host: str, port: str) -> None:
    """Open a port as hypercorn does, and close it.

    Raises:
        SystemExit: It is in use, not allowed or not a port.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, int(port)))
        except (OSError, OverflowError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else "not a port"
            raise SystemExit(f"{host}:{port}: {reason}. Serve elsewhere, as with make run PORT=8001.") from None


if __name__ == "__main__":
    check_port(*sys.argv[1:3])
