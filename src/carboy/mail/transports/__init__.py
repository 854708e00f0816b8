"""The ways that a mail may go, one of which `mail.transport` chooses."""

from carboy.config.settings import MailSettings
from carboy.mail.letters import sender_of
from carboy.mail.transports.base import Transport
from carboy.mail.transports.files import FilesTransport, MailFolder
from carboy.mail.transports.memory import MemoryTransport
from carboy.mail.transports.smtp import SmtpTransport

__all__ = ["FilesTransport", "MailFolder", "MemoryTransport", "SmtpTransport", "Transport", "create_transport"]


def create_transport(settings: MailSettings, folder: MailFolder) -> Transport | None:
    """Make the transport that is configured; None if there is no mail."""
    match settings.transport:
        case "smtp":
            # The name of this machine may be private, and asking for it may take seconds.
            return SmtpTransport(settings, local_hostname=sender_of(settings.sender or "").domain)
        case "files":
            return FilesTransport(folder)
        case "memory":
            return MemoryTransport()
        case None:
            return None
