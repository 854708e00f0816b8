"""The dependency-injection container: checked, wired, drawn, opened and closed."""
