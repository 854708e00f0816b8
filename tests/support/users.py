"""The one way to say what makes a user, for the API, a service and a DAO alike."""

from typing import Any


def registration(name: str = "ada", **changes: Any) -> dict[str, Any]:
    """Return the fields of a user that is to be created."""
    return {"username": name, "email": f"{name}@example.org"} | changes
