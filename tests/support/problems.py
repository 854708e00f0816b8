from carboy.errors import CarboyError


def all_errors(root: type[CarboyError] = CarboyError) -> list[type[CarboyError]]:
    """Return every kind of error that a client may be told about."""
    return [kind for child in root.__subclasses__() for kind in (child, *all_errors(child))]
