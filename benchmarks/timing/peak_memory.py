"""The most memory that this process had at once: `peak_process_bytes` of a run's JSON."""

import contextlib
import re
import resource
import sys
from pathlib import Path

RESET, STATUS = Path("/proc/self/clear_refs"), Path("/proc/self/status")


def forget_peak() -> None:
    """Count from now on. Only Linux can; elsewhere the peak is that since the process began."""
    with contextlib.suppress(OSError):
        RESET.write_text("5")  # proc(5): the peak is set to what it is now


def peak_bytes() -> int:
    """Bytes resident at most since the last `forget_peak`."""
    with contextlib.suppress(OSError):
        high_water = re.search(r"^VmHWM:\s+(\d+) kB$", STATUS.read_text(), re.MULTILINE)
        if high_water is not None:
            return int(high_water[1]) * 1024
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024
