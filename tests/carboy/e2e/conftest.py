"""Real servers, as `support.e2e` has them."""

from support.e2e import *  # noqa: F403 - pytest finds fixtures among the names of a conftest.
