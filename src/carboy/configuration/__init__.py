"""Reads the settings from config.yaml and the environment, and says which key is wrong and where it came from."""

from carboy.configuration.files import SettingsError
from carboy.configuration.loading import load_settings
from carboy.configuration.showing import masked, walk

__all__ = ["SettingsError", "load_settings", "masked", "walk"]
