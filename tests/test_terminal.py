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


# A module that says that this process is a notebook's kernel.
KERNEL: Any = SimpleNamespace(IPKernelApp=SimpleNamespace(initialized=lambda: True))


def test_a_table_lines_up() -> None:
    lines = table([["a", "bb"], ["ccc", "1"]]).splitlines()
    assert lines == ["a    bb", "---  --", "ccc   1"]


def test_a_comparison_has_each_number() -> None:
    row = comparison([METRICS]).splitlines()[-1].split()
    assert row == ["manual", "10", "0.250000", "0.5000", "1.0000", "2.0", "5.0", "0123456789ab"]


def test_progress_in_a_plain_log_has_the_time_left(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([0.0, 5.0, 11.0, 11.0, 11.0, 12.0, 13.0])
    monkeypatch.setattr(terminal.time, "monotonic", lambda: next(clock))
    out = io.StringIO()
    progress = Progress(["a", "b"], out)
    progress.update("a", 5, 10)  # too early for a line
    progress.update("b", 5, 10)
    progress.update("b", 6, 10)  # again too early
    progress.close()
    lines = ["11 s: a 5/10, b 5/10, about 11 s left", "13 s: a 5/10, b 6/10"]
    assert out.getvalue().splitlines() == lines


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
    clock = iter([0.0, 5.0, 5.0, 5.0, 15.0, 15.0, 15.0])
    monkeypatch.setattr(terminal.time, "monotonic", lambda: next(clock))
    monkeypatch.setattr(terminal, "PLAIN_EVERY", 5.0)
    out = io.StringIO()
    progress = Progress(["a", "b"], out)
    progress.update("a", 0, None)  # nothing is known yet
    progress.update("a", 5, 10)
    assert out.getvalue() == "5 s: a 0/?, b 0/?\n15 s: a 5/10, b 0/10, about 45 s left\n"


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
