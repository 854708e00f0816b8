"""Reads the settings from config.yaml and the environment, and says which key is wrong and where it came from."""

from carboy.config.files import SettingsError
from carboy.config.loading import load_settings
from carboy.config.settings import Section, Settings
from carboy.config.showing import masked, walk

__all__ = ["Section", "Settings", "SettingsError", "load_settings", "masked", "walk"]
