"""What goes in and out: pydantic models that routes, services and DAOs share."""
