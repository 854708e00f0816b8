"""The mails that accounts send. Their templates stand in ``templates/mail``."""

import logging

from carboy.mail import Mail, Mailer
from carboy.mail.errors import MailNotConfiguredError

_log = logging.getLogger(__name__)


class VerifyEmail(Mail):
    username: str
    token: str


class ConfirmNewEmail(Mail):
    username: str
    token: str


class EmailChanged(Mail):
    """To the old address."""

    username: str


class ResetPassword(Mail):
    username: str
    token: str
    minutes: int


class PasswordChanged(Mail):
    username: str


class AlreadyRegistered(Mail):
    """To the owner of an address that somebody has tried to register again."""

    username: str


class Invitation(Mail):
    token: str
    days: int


class SecondFactorChanged(Mail):
    username: str
    is_on: bool


class Post:
    """Sends the mails of accounts if, and only if, the current unit of work commits.

    Where no mail is configured it says so in the log: a password can be changed there all the same, and operators have
    `flask users reset-password`.
    """

    def __init__(self, mailer: Mailer) -> None:
        self._mailer = mailer

    async def send(self, mail: Mail) -> None:
        """Send a mail."""
        try:
            await self._mailer.send(mail)
        except MailNotConfiguredError:
            _log.warning("no mail is configured, so that %s is not sent", mail.template)
