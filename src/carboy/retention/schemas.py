from typing import NamedTuple


class Swept(NamedTuple):
    """What a sweep has deleted of one kind of rows.

    Attributes:
        name: The table, and which of its rows.
        rows: How many there were.
        seconds: How long it took, the rests included.
    """

    name: str
    rows: int
    seconds: float
