"""Real servers, as `support.e2e` has them."""

from support.browser import axe, browser, site, window  # noqa: F401 - pytest finds fixtures among the names of a conftest.
from support.e2e import *  # noqa: F403 - likewise.
from support.integration import postgresql_database  # noqa: F401 - likewise.
