"""An error that several processes of one torchrun have: said by one of them, and to torchrun.

    torchrun --nproc_per_node 2 -m reference train manual

torchrun gives each process a file for its error, in a folder that the processes of a host share,
and shows what is in it as the root cause. It ends the others by SIGTERM then: that they were
stopped is no news.
"""

import os
import time
import zlib
from contextlib import suppress
from pathlib import Path

from reference.process.whole_files import write_json

FILE = "TORCHELASTIC_ERROR_FILE"  # of each process: ATTEMPT/LOCAL_RANK/error.json
SAID = "said-"  # and a number of the line, in ATTEMPT


def is_new(line: str) -> bool:
    """Whether no other process of this host and launch has said a line; it is said from now on."""
    folder = _shared()
    if folder is None:
        return True
    with suppress(OSError):  # a folder that is gone: rather twice than never
        try:
            (folder / f"{SAID}{zlib.crc32(line.encode())}").touch(exist_ok=False)
        except FileExistsError:
            return False
    return True


def has_failed() -> bool:
    """Whether a process of this host and launch has said an error."""
    folder = _shared()
    return folder is not None and any(folder.glob(f"{SAID}*"))


def tell_torchrun(line: str) -> None:
    """Leave an error where torchrun looks for what went wrong in this process."""
    if FILE in os.environ:
        more = {"py_callstack": line, "timestamp": str(int(time.time()))}
        with suppress(OSError):
            write_json(Path(os.environ[FILE]), {"message": {"message": line, "extraInfo": more}})


def _shared() -> Path | None:
    return Path(os.environ[FILE]).parents[1] if FILE in os.environ else None
