"""Whether the process lives, and should be sent requests."""
