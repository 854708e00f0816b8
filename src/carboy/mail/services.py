"""Sends mail if, and only if, the current transaction commits."""

from email.headerregistry import Address

from carboy.jobs import Jobs
from carboy.mail.errors import MailNotConfiguredError
from carboy.mail.jobs import deliver
from carboy.mail.letters import Letter, message_of, sender_of
from carboy.mail.mails import Mail
from carboy.mail.templating import MailTemplates
from carboy.mail.transports import Transport
from carboy.security.encryption import Cipher
from carboy.telemetry.tracing import span


class Mailer:
    """Sends mail by a job.

    The letter is written when it is sent, so that whatever is wrong with it fails there, and each try delivers the same
    one. It waits in the database encrypted, as the link in it may let somebody in (ASVS 5.0 11.4, 14.2).

    Args:
        jobs: Where it waits.
        templates: What letters are written from.
        cipher: What encrypts them.
        transport: What they are handed to; None if there is no mail.
        sender: Whom they are from, as ``Carboy <no-reply@example.org>``.
    """

    def __init__(
        self, jobs: Jobs, templates: MailTemplates, cipher: Cipher, transport: Transport | None, sender: str | None
    ) -> None:
        self._jobs = jobs
        self._templates = templates
        self._cipher = cipher
        self._transport = transport
        self._sender = None if sender is None else sender_of(sender)

    async def send(self, mail: Mail) -> None:
        """Send a mail if the current transaction commits; outside of one, send it.

        Raises:
            MailNotConfiguredError: `mail.transport` is not set.
            jinja2.TemplateError: A template is missing or wrong, or lacks a variable.
            ValueError: What came out cannot be sent, such as a subject with a line break.
        """
        self._ready()
        letter = self._templates.render(mail)
        sealed = self._cipher.encrypt(letter.model_dump_json(), purpose=_purpose(mail.template, letter.to))
        await self._jobs.enqueue(deliver, template=mail.template, to=letter.to, sealed=sealed)

    async def deliver(self, template: str, to: str, sealed: str) -> None:
        """Hand a mail over, as the job `deliver` does.

        Raises:
            MailError: It was not taken.
            DecryptionError: Its key is no longer configured.
        """
        transport, sender = self._ready()
        letter = Letter.model_validate_json(self._cipher.decrypt(sealed, purpose=_purpose(template, to)))
        with span("send mail", "client", **{"carboy.mail.template": template}):
            await transport.send(message_of(letter, sender))

    def _ready(self) -> tuple[Transport, Address]:
        if self._transport is None or self._sender is None:
            raise MailNotConfiguredError("There is no mail: set mail.transport and mail.sender.")
        return self._transport, self._sender


def _purpose(template: str, to: str) -> str:
    return f"mail {template} to {to}"
