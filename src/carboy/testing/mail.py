"""Mail in tests."""

from dependency_injector.containers import Container

from carboy.mail.transports import MemoryTransport


def mailbox(container: Container) -> MemoryTransport:
    """Return what a test's mail is handed to: ``mailbox(container).sent``.

    Raises:
        TypeError: The configuration has another transport than memory.
    """
    transport = container.mail_transport()
    if not isinstance(transport, MemoryTransport):
        raise TypeError(f"mail.transport is not memory, but makes a {type(transport).__name__}.")
    return transport
