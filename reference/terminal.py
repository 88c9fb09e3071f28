"""What a person sees of a run: tables, and progress with the time left."""

import sys
import time
from collections.abc import Sequence
from typing import Any, TextIO

from tqdm.auto import tqdm

PLAIN_EVERY = 10.0  # seconds between two lines of progress in a plain log


def table(rows: Sequence[Sequence[str]]) -> str:
    """Rows of text in columns; the first row is the head; numbers stand to the right."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [
            cell.ljust(width) if i == 0 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    lines.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join(lines)


class Progress:
    """One bar for each of several runs; in a plain log, a line now and then in their place.

    Args:
        names: of the runs, which are as long as each other.
        out: where it goes; stderr if there is none.
        leave: whether the bars stay on the screen when they are closed.
        unit: what is counted.
    """

    def __init__(
        self,
        names: Sequence[str],
        out: TextIO | None = None,
        *,
        leave: bool = True,
        unit: str = "step",
    ) -> None:
        self._out = out or sys.stderr
        self._started = self._last = time.monotonic()
        self._done = dict.fromkeys(names, 0)
        self._totals: dict[str, int | None] = dict.fromkeys(names)
        self._bars: dict[str, Any] = {}
        if self._out.isatty() or "ipykernel" in sys.modules:
            width = max(map(len, names))
            for i, name in enumerate(names):
                self._bars[name] = tqdm(
                    desc=name.ljust(width),
                    position=i,
                    unit=unit,
                    file=self._out,
                    leave=leave,  # on the screen when it is done
                )

    def update(self, name: str, done: int, total: int | None) -> None:
        """Show that the run `name` has done so many steps of `total` (None: not known yet)."""
        self._done[name], self._totals[name] = done, total
        bar = self._bars.get(name)
        if bar is not None:
            bar.total = total
            bar.n = done
            bar.refresh()
        elif time.monotonic() - self._last >= PLAIN_EVERY:
            self._last = time.monotonic()
            print(self._line(), file=self._out, flush=True)

    def _line(self) -> str:
        # The runs are as long as each other: one that hasn't begun has the total that is known.
        known = max((t for t in self._totals.values() if t), default=None)
        totals = {name: total or known for name, total in self._totals.items()}
        parts = [f"{name} {done}/{totals[name] or '?'}" for name, done in self._done.items()]
        done, total = sum(self._done.values()), sum(t or 0 for t in totals.values())
        elapsed = time.monotonic() - self._started
        left = f", about {elapsed * (total - done) / done:.0f} s left" if done and known else ""
        return f"{elapsed:.0f} s: {', '.join(parts)}{left}"

    def close(self) -> None:
        """Take the bars off the screen, or leave them as they are (`leave`)."""
        for bar in self._bars.values():
            bar.close()
