"""The job that hands a mail over, once the transaction that sent it has committed."""

from typing import TYPE_CHECKING, Annotated

from dependency_injector.wiring import Provide

from carboy.jobs import INJECTED, job
from carboy.mail.errors import MailRefusedError
from carboy.security.encryption import DecryptionError

if TYPE_CHECKING:
    from carboy.mail.services import Mailer

DAY = 24 * 60 * 60.0
HALF_AN_HOUR = 30 * 60.0


# A queue of its own, so that a mail server that stalls holds up no other work. What is refused for now is tried for a
# day: many servers refuse whom they do not know for some minutes at first (RFC 6647).
@job(
    queue="mail",
    retries=200,
    backoff=10.0,
    longest_backoff=HALF_AN_HOUR,
    deadline=DAY,
    gives_up_on=(MailRefusedError, DecryptionError),
)
async def deliver(
    template: str, to: str, sealed: str, mailer: Annotated["Mailer", Provide["mailer"]] = INJECTED
) -> None:
    """Hand a mail over. Operators see its kind and its recipient; the letter itself is encrypted."""
    await mailer.deliver(template, to, sealed)
