"""What a person sees of a run: tables, and progress with the time left."""

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
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


@dataclass
class _Run:
    """How far one run has come.

    Attributes:
        begun: when its first step was seen, and how many it had then: imports are no part of a
            rate.
    """

    done: int = 0
    total: int | None = None
    loss: float | None = None
    begun: tuple[float, int] | None = None

    @property
    def shown_loss(self) -> str:
        return "" if self.loss is None else f"loss {self.loss:.4f}"


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
        self._unit = unit
        self._started = self._last = time.monotonic()
        self._runs = {name: _Run() for name in names}
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

    def update(self, name: str, done: int, total: int | None, loss: float | None = None) -> None:
        """Show how far a run has come.

        Args:
            name: the run's.
            done: its steps so far.
            total: of how many; None: not known yet.
            loss: of its last step, where it is known.
        """
        run, bar = self._runs[name], self._bars.get(name)
        run.done, run.total, run.loss = done, total, loss
        begins = done > 0 and run.begun is None
        if begins:
            run.begun = time.monotonic(), done
        if bar is not None:
            if begins:
                bar.reset(total)  # its clock
                bar.initial = done
            bar.total = total
            bar.n = done
            bar.set_postfix_str(run.shown_loss, refresh=False)
            bar.refresh()
        elif time.monotonic() - self._last >= self._every:
            self._last = time.monotonic()
            self._write(self._line())

    def _line(self, *, last: bool = False) -> str:
        now = time.monotonic()
        # The runs are as long as each other: one that hasn't begun has the total that is known.
        known = max((run.total for run in self._runs.values() if run.total), default=None)
        parts = [
            f"{name} {run.done}/{run.total or known or '?'} {run.shown_loss}".rstrip()
            for name, run in self._runs.items()
        ]
        line = f"{now - self._started:.0f} s: {', '.join(parts)}"
        rate = self._rate(now)
        if last or not known or not rate:
            return line
        left = sum((run.total or known) - run.done for run in self._runs.values())
        return f"{line}, {rate:.3g} {self._unit}s/s, about {left / rate:.0f} s left"

    def _rate(self, now: float) -> float:
        """Steps a second, of all runs together, since the first of them had one; 0 if unknown."""
        begun = [run.begun for run in self._runs.values() if run.begun is not None]
        seconds = now - min((when for when, _ in begun), default=now)
        steps = sum(run.done for run in self._runs.values()) - sum(first for _, first in begun)
        return steps / seconds if seconds > 0 else 0.0

    def _write(self, line: str) -> None:
        # What a shorter line leaves of the one below it is covered by blanks.
        start, end = ("\r", "") if self._over else ("", "\n")
        print(f"{start}{line.ljust(len(self._shown))}", end=end, file=self._out, flush=True)
        self._shown = line if self._over else ""

    def close(self) -> None:
        """Show how far all have come, or take it off the screen (`leave`)."""
        for bar in self._bars.values():
            bar.close()
        if self._bars or not any(run.done for run in self._runs.values()):
            return
        if self._leave:
            self._write(self._line(last=True))
            print(end="\n" if self._over else "", file=self._out, flush=True)
        elif self._over:
            self._write("")
            print(end="\r", file=self._out, flush=True)
