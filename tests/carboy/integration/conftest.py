"""Real databases, as `support.integration` has them."""

from support.integration import *  # noqa: F403 - pytest finds fixtures among the names of a conftest.
from support.migrating import *  # noqa: F403 - likewise.
