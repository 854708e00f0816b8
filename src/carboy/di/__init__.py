"""The dependency-injection container: checked, wired and drawn."""
