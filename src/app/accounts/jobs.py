"""What follows a request that must not tell whether an address is known (ASVS 5.0 6.3.8).

The request does the same for every address: it enqueues one of these, which look the address up.
"""

from typing import TYPE_CHECKING, Annotated

from dependency_injector.wiring import Provide

from app.security import Actor
from carboy.jobs import INJECTED, job

if TYPE_CHECKING:
    from app.accounts.services.emails import EmailService
    from app.accounts.services.passwords import PasswordService
    from app.accounts.services.registration import RegistrationService

HOUR = 60 * 60.0
"""Whoever has waited so long for a mail has asked again."""


@job(deadline=HOUR)
async def send_reset_link(
    email: str, asker: Actor, passwords: Annotated["PasswordService", Provide["password_service"]] = INJECTED
) -> None:
    """Send a link for a new password to an address, if it is that of a person."""
    await passwords.send_reset_link(asker, email)


@job(deadline=HOUR)
async def send_invitation(
    email: str,
    asker: Actor,
    registrations: Annotated["RegistrationService", Provide["registration_service"]] = INJECTED,
) -> None:
    """Invite whoever has an address to register, or tell its owner that it has an account already."""
    await registrations.send_invitation(asker, email)


@job(deadline=HOUR)
async def send_new_email_link(
    email: str, asker: Actor, emails: Annotated["EmailService", Provide["email_service"]] = INJECTED
) -> None:
    """Send a link to the new address of an account, unless it is another's."""
    await emails.send_change_link(asker, email)
