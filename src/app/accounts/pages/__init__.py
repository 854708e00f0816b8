"""The pages of accounts, in a blueprint for each step of somebody's way in, and for each section of an account."""

from app.accounts.pages.account import account
from app.accounts.pages.data import data
from app.accounts.pages.emails import emails
from app.accounts.pages.events import events
from app.accounts.pages.keys import keys
from app.accounts.pages.login import login
from app.accounts.pages.password import password
from app.accounts.pages.passwords import passwords
from app.accounts.pages.registration import registration
from app.accounts.pages.second_factor import second_factor
from app.accounts.pages.sessions import sessions
from app.accounts.pages.users import users

blueprints = (
    login,
    registration,
    passwords,
    emails,
    account,
    password,
    sessions,
    keys,
    second_factor,
    events,
    data,
    users,
)
