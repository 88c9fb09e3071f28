"""What a person sees of a run: tables, and progress with the time left."""

import sys
import time
from collections.abc import Sequence
from typing import Any, TextIO

from tqdm import tqdm

PLAIN_EVERY = 10.0  # seconds between two lines of progress in a plain log
NOTEBOOK_EVERY = 0.5  # seconds between two states of a notebook's one line


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


def in_notebook() -> bool:
    """Whether this process is a notebook's kernel, whose output isn't a terminal."""
    # Others import ipykernel, too: whatever starts a kernel in another process.
    kernelapp = sys.modules.get("ipykernel.kernelapp")
    return kernelapp is not None and bool(kernelapp.IPKernelApp.initialized())


class Progress:
    """How far several runs have come: on a terminal, a bar for each of them.

    Elsewhere one line holds them all, and the last one says how far they came. A plain log gets a
    line now and then. In a notebook's output, where no cursor goes up to a second bar, the line is
    written over.

    Args:
        names: of the runs, which are as long as each other.
        out: where it goes; stderr if there is none.
        leave: whether the last state stays to be read.
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
        self._leave = leave
        self._bars: dict[str, Any] = {}
        self._over = in_notebook()
        self._every = NOTEBOOK_EVERY if self._over else PLAIN_EVERY
        self._shown = ""
        if self._out.isatty() and not self._over:
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
        elif time.monotonic() - self._last >= self._every:
            self._last = time.monotonic()
            self._write(self._line())

    def _line(self, *, last: bool = False) -> str:
        # The runs are as long as each other: one that hasn't begun has the total that is known.
        known = max((t for t in self._totals.values() if t), default=None)
        totals = {name: total or known for name, total in self._totals.items()}
        parts = [f"{name} {done}/{totals[name] or '?'}" for name, done in self._done.items()]
        done, total = sum(self._done.values()), sum(t or 0 for t in totals.values())
        elapsed = time.monotonic() - self._started
        goes_on = done and known and not last
        left = f", about {elapsed * (total - done) / done:.0f} s left" if goes_on else ""
        return f"{elapsed:.0f} s: {', '.join(parts)}{left}"

    def _write(self, line: str) -> None:
        # What a shorter line leaves of the one below it is covered by blanks.
        start, end = ("\r", "") if self._over else ("", "\n")
        print(f"{start}{line.ljust(len(self._shown))}", end=end, file=self._out, flush=True)
        self._shown = line if self._over else ""

    def close(self) -> None:
        """Show how far all have come, or take it off the screen (`leave`)."""
        for bar in self._bars.values():
            bar.close()
        if self._bars or not any(self._done.values()):
            return
        if self._leave:
            self._write(self._line(last=True))
            print(end="\n" if self._over else "", file=self._out, flush=True)
        elif self._over:
            self._write("")
            print(end="\r", file=self._out, flush=True)
