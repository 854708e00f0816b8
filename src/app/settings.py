"""What can be configured. Every default stands in config.yaml."""

from carboy.config import Settings as KitSettings


class Settings(KitSettings):
    """The kit's settings and the application's own sections."""
