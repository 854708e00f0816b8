"""Mail: written from templates, sent if and only if the transaction commits."""

from carboy.mail.errors import MailError, MailNotConfiguredError, MailRefusedError, MailUnavailableError
from carboy.mail.mails import Mail
from carboy.mail.services import Mailer

__all__ = ["Mail", "MailError", "MailNotConfiguredError", "MailRefusedError", "MailUnavailableError", "Mailer"]
