"""Progress on the screen: a bar in a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time

from tqdm import tqdm

#: Seconds between two plain lines.
_INTERVAL = 10.0


class Progress:
    """Images done, images per second, time left.

    ``scale`` is the number of processes that work at the same pace; silent where ``shown`` is
    False.
    """

    def __init__(self, total: int, done: int = 0, scale: int = 1, shown: bool = True) -> None:
        self.total = total
        self._first = done
        self._own = 0
        self._scale = scale
        self._shown = shown
        self._started = self._printed = time.monotonic()
        self._bar = (
            tqdm(total=total, initial=done, unit="img", dynamic_ncols=True)
            if shown and sys.stderr.isatty()
            else None
        )

    @property
    def done(self) -> int:
        """Images done by all processes, as far as this one can tell."""
        return min(self.total, self._first + self._own * self._scale)

    def update(self, count: int) -> None:
        """``count`` more images are done here."""
        before = self.done
        self._own += count
        if self._bar is not None:
            self._bar.update(self.done - before)
        elif self._shown and time.monotonic() - self._printed >= _INTERVAL:
            self._printed = time.monotonic()
            rate = (self.done - self._first) / (self._printed - self._started)
            left = (self.total - self.done) / rate if rate else 0.0
            print(
                f"{self.done}/{self.total} images, {rate:.2f} images/s, {clock(left)} left",
                flush=True,
            )

    def close(self) -> None:
        """End the bar."""
        if self._bar is not None:
            self._bar.close()


def clock(seconds: float) -> str:
    """``h:mm:ss`` or ``m:ss``."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
