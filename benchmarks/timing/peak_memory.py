"""The most memory that this process had at once, since a moment of one's own.

python -m pytest benchmarks --benchmark-json run.json        as `peak_process_bytes`
"""

import contextlib
import re
import resource
import sys
from pathlib import Path

RESET, STATUS = Path("/proc/self/clear_refs"), Path("/proc/self/status")


def forget_peak() -> None:
    """From here on. Only Linux can; elsewhere the peak is the process's since it began."""
    with contextlib.suppress(OSError):
        RESET.write_text("5")  # proc(5): the peak is set to what it is now


def peak_bytes() -> int:
    """Resident, since the last `forget_peak`."""
    with contextlib.suppress(OSError):
        found = re.search(r"^VmHWM:\s+(\d+) kB$", STATUS.read_text(), re.MULTILINE)
        if found is not None:
            return int(found[1]) * 1024
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024
