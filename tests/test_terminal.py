"""The table, the progress, and the verdict's words."""

import io
import sys
from types import SimpleNamespace
from typing import Any

import pytest

from reference import terminal
from reference.diff.verdict import Verdict
from reference.diff.verdict_text import sentences
from reference.run.table import comparison
from reference.terminal import Progress, table

METRICS: dict[str, Any] = {
    "loop": "manual",
    "steps": 10,
    "final_loss": 0.25,
    "scores": {"accuracy": 0.5, "f1": 1.0},
    "seconds": 2.0,
    "weights": "0123456789abcdef",
}


class Clock:
    """The time, which passes when a test says so; tqdm's own clock goes with it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 0.0
        monkeypatch.setattr(terminal.time, "monotonic", lambda: self.now)
        monkeypatch.setattr("tqdm.std.time", lambda: self.now)


# A module that says that this process is a notebook's kernel.
KERNEL: Any = SimpleNamespace(IPKernelApp=SimpleNamespace(initialized=lambda: True))


def test_a_table_lines_up() -> None:
    lines = table([["a", "bb"], ["ccc", "1"]]).splitlines()
    assert lines == ["a    bb", "---  --", "ccc   1"]


def test_a_comparison_has_each_number() -> None:
    row = comparison([METRICS]).splitlines()[-1].split()
    assert row == ["manual", "10", "0.250000", "0.5000", "1.0000", "2.0", "5.0", "0123456789ab"]


def test_progress_in_a_plain_log_has_the_time_left(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    out = io.StringIO()
    progress = Progress(["a", "b"], out)
    clock.now = 2.0
    progress.update("a", 0, None)
    clock.now = 5.0
    progress.update("a", 1, 10, 0.75)  # too early for a line
    clock.now = 11.0
    progress.update("b", 1, 10)
    progress.update("a", 5, 10, 0.5)
    clock.now = 21.0
    progress.update("b", 9, 10)
    progress.close()
    lines = [
        "11 s: a 1/10 loss 0.7500, b 1/10",  # no rate yet: one step each is where it begins
        "21 s: a 5/10 loss 0.5000, b 9/10, 0.75 steps/s, about 8 s left",  # 12 steps in 16 s
        "21 s: a 5/10 loss 0.5000, b 9/10",
    ]
    assert out.getvalue().splitlines() == lines


class Terminal(io.StringIO):
    """An output that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def test_imports_are_no_part_of_a_bars_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    """600 s pass before the first step, then a step takes 2 s: 45 steps are left, so 90 s."""
    clock = Clock(monkeypatch)
    out = Terminal()
    progress = Progress(["manual"], out)
    clock.now = 600.0
    progress.update("manual", 0, None)
    progress.update("manual", 1, 50, 0.7)
    clock.now = 608.0
    progress.update("manual", 5, 50, 0.6543)
    line = out.getvalue().split("\r")[-1]
    assert " 5/50 " in line
    assert "<01:30" in line
    assert "2.00s/step" in line
    assert "loss 0.6543" in line
    progress.close()


def test_progress_ends_with_its_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """However short it was; in a log and in a notebook, whose one line is written over."""
    monkeypatch.setattr(terminal.time, "monotonic", lambda: 1.0)
    log = io.StringIO()
    shown_to_its_end(Progress(["a", "b"], log))
    assert log.getvalue() == "0 s: a 3/3, b 3/3\n"
    monkeypatch.setitem(sys.modules, "ipykernel.kernelapp", KERNEL)
    monkeypatch.setattr(terminal, "NOTEBOOK_EVERY", 0.0)
    notebook = io.StringIO()
    shown_to_its_end(Progress(["a", "b"], notebook))
    last = notebook.getvalue().split("\r")[-1]
    assert (last.rstrip(), last[-1]) == ("0 s: a 3/3, b 3/3", "\n")
    assert "0 s: a 0/?, b 0/?\r" in notebook.getvalue()


def test_progress_that_is_not_to_be_left_is_taken_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(terminal.time, "monotonic", lambda: 1.0)
    log = io.StringIO()
    shown_to_its_end(Progress(["a", "b"], log, leave=False))
    assert log.getvalue() == ""
    monkeypatch.setitem(sys.modules, "ipykernel.kernelapp", KERNEL)
    monkeypatch.setattr(terminal, "NOTEBOOK_EVERY", 0.0)
    notebook = io.StringIO()
    shown_to_its_end(Progress(["a", "b"], notebook, leave=False))
    *_, shown, blanks, rest = notebook.getvalue().split("\r")
    assert (blanks, rest) == (" " * len(shown), "")


def test_progress_of_nothing_says_nothing() -> None:
    out = io.StringIO()
    Progress(["a"], out).close()
    assert out.getvalue() == ""


def shown_to_its_end(progress: Progress) -> None:
    progress.update("a", 0, None)
    for done in (1, 2, 3):
        progress.update("a", done, 3)
        progress.update("b", done, 3)
    progress.close()


def test_the_time_left_counts_runs_that_havent_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    """As with `--jobs 1`: one after another."""
    clock = Clock(monkeypatch)
    monkeypatch.setattr(terminal, "PLAIN_EVERY", 5.0)
    out = io.StringIO()
    progress = Progress(["a", "b"], out)
    clock.now = 5.0
    progress.update("a", 0, None)  # nothing is known yet
    clock.now = 6.0
    progress.update("a", 1, 10)
    clock.now = 14.0
    progress.update("a", 5, 10)
    lines = ["5 s: a 0/?, b 0/?", "14 s: a 5/10, b 0/10, 0.5 steps/s, about 30 s left"]
    assert out.getvalue().splitlines() == lines


def test_the_verdict_in_words() -> None:
    same, other = Verdict("identical", 7), Verdict("diverged", 2, 3, "clip", "norm: 1 and 2")
    assert sentences("trainer", {"manual": same, "accelerated": same}) == [
        "identical: 3 loops, 7 steps, every link of every step"
    ]
    assert sentences("trainer", {"manual": same, "accelerated": other}) == [
        "identical: trainer and manual, 7 steps, every link of every step",
        "diverged: trainer and accelerated part at step 3, link clip: norm: 1 and 2",
    ]


def test_who_only_imports_a_kernel_is_no_notebook(monkeypatch: pytest.MonkeyPatch) -> None:
    other: Any = SimpleNamespace(IPKernelApp=SimpleNamespace(initialized=lambda: False))
    monkeypatch.setitem(sys.modules, "ipykernel.kernelapp", other)
    assert not terminal.in_notebook()
    monkeypatch.setitem(sys.modules, "ipykernel.kernelapp", KERNEL)
    assert terminal.in_notebook()
