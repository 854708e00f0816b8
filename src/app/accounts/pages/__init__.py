"""The pages of accounts, in a blueprint for each step of somebody's way in."""

from app.accounts.pages.emails import emails
from app.accounts.pages.login import login
from app.accounts.pages.passwords import passwords
from app.accounts.pages.registration import registration

blueprints = (login, registration, passwords, emails)
