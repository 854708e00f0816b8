"""How often a secret may be guessed (ASVS 5.0 6.1.1). docs/accounts.md says how an owner gets in all the same."""

from carboy.limits.schemas import By, Limit

GUESSES_BY_ADDRESS = Limit(name="guesses_by_address", rate="50/5 minutes", is_strict=True)
"""Of passwords, codes and links together, from one address: for each view that takes one of them."""

LOGIN = Limit(name="login", rate="10/5 minutes", is_strict=True)
"""For one name from one network."""
LOGIN_FROM_UNKNOWN = Limit(name="login_from_unknown", rate="50/1 hour", is_strict=True)
"""For one name from all networks that its owner has no session from. A reset by mail begins the count anew."""
GUESSES_BY_ALL = Limit(name="guesses_by_all", rate="1000/5 minutes", is_strict=True)
"""Of all passwords from such networks together: more than people need, and less than a flood of hashes."""
RESET_OF_ADDRESS = Limit(name="reset_of_address", rate="5/1 hour", is_strict=True)
"""Mails to one address."""
INVITATION_OF_ADDRESS = Limit(name="invitation_of_address", rate="5/1 hour", is_strict=True)
"""Likewise."""
REGISTER = Limit(name="register", rate="20/1 hour", is_strict=True)
"""New accounts from one address."""
VISITORS = Limit(name="visitors", rate="300/5 minutes")
"""New sessions of browsers from one address: each form that a visitor is shown has one."""
EXPORTS = Limit(name="exports", rate="10/1 hour", by=By.ACCOUNT)
"""Of all that is known of oneself: each reads some thousand rows."""
