"""Blueprints. A view parses, calls one service and answers; what it needs it names by string, for the container.

No module of this package may use ``from __future__ import annotations``: it would hide the markers from the container.
"""

from carboy.routes.docs import docs
from carboy.routes.health import health
from carboy.routes.users import users

BLUEPRINTS = (health, users)

__all__ = ["BLUEPRINTS", "docs"]
