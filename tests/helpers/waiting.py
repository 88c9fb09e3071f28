"""Waiting in tests: for what the test wants to see, and for no less than ten minutes.

A limit is there only so that a test that hangs comes to an end. A shorter one fails on a machine
that is slow or overloaded, and says nothing about the code. `tests/test_time_limits.py` holds this.

    subprocess.run(command, timeout=LIMIT)
    wait_until(ledger.exists, "the ledger's file")
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest

LIMIT = 600.0  # seconds
BETWEEN = 0.02  # seconds between two looks

T = TypeVar("T")


def wait_until(condition: Callable[[], T], what: str, limit: float = LIMIT) -> T:
    """Look again and again until the condition holds.

    Args:
        condition: Called about fifty times a second; what it raises ends the test.
        what: What is awaited, for the failure's text.
        limit: Seconds after which the test fails; only this function's own test gives another.

    Returns:
        The first true value that the condition gave.
    """
    end = time.monotonic() + limit
    while not (value := condition()):
        if time.monotonic() >= end:
            pytest.fail(f"waited {limit:.0f} s in vain for {what}")
        time.sleep(BETWEEN)
    return value


def has_ended(pid: int) -> bool:
    """Whether a process has ended, be it that nobody has asked for its exit code."""
    try:
        return ") Z " in Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return True
