"""A command that is stopped by a signal in its midst: what it says last, and how it ends."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence

from tests.conftest import ROOT

LONGEST = 600  # seconds that a process of a test may take: only one that hangs takes so long


def check_stopped(
    command: Sequence[str],
    begun: Callable[[], object],
    number: signal.Signals = signal.SIGTERM,
    variables: Mapping[str, str] | None = None,
) -> None:
    """Start it, send the signal once `begun` holds, and see one line and the exit code."""
    environment = {**os.environ, **(variables or {})}
    going = subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True)
    try:
        until = time.monotonic() + LONGEST
        while not begun():
            assert going.poll() is None, going.communicate()[1]
            assert time.monotonic() < until
            time.sleep(0.05)
        going.send_signal(number)
        _, err = going.communicate(timeout=LONGEST)
    finally:
        going.kill()
    by = "Ctrl-C" if number == signal.SIGINT else number.name
    assert err.splitlines()[-1] == f"error: stopped by {by}"
    assert going.returncode == 128 + number
