"""Tells how far a long measurement is and how long the rest will take."""

import sys
import time


class Progress:
    """Counts the steps of one piece of the benchmark.

    Args:
        title: What the piece is called.
        steps: How many there are.
    """

    def __init__(self, title: str, steps: int) -> None:
        self._title = title
        self._steps = steps
        self._done = 0
        self._began = time.monotonic()
        self.say(f"{steps} steps")

    def step(self, text: str) -> None:
        """Note that a step has been done."""
        self._done += 1
        left = (time.monotonic() - self._began) / self._done * (self._steps - self._done)
        self.say(f"[{self._done}/{self._steps}, {left:.0f} s left] {text}")

    def say(self, text: str) -> None:
        print(f"{time.strftime('%H:%M:%S')} {self._title}: {text}", file=sys.stderr, flush=True)
