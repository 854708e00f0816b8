from carboy.errors import UnavailableError


class ShuttingDownError(UnavailableError):
    code = "shutting_down"
