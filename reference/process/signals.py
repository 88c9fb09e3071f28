"""Being stopped from outside: by a signal, or by the end of the process that started this one.

python -m reference compare & kill %1
"""

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn

# SIGHUP is a terminal that was closed; Windows has none.
SIGNALS = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
GRACE = 1.5  # seconds to end a ledger in
PR_SET_PDEATHSIG = 1  # of Linux's prctl(2)


class Stopped(BaseException):
    """A signal came. Like KeyboardInterrupt it is no Exception, which code would catch."""

    def __init__(self, number: int) -> None:
        super().__init__(f"stopped by {signal.Signals(number).name}")
        self.exit_code = 128 + number  # as shells count


_last: list[Stopped] = []  # the signals that came since `signals_raise` began


def check_not_stopped() -> None:
    """Raise Stopped if a signal came: a library may have turned it into an error of its own."""
    if _last:
        raise _last[-1]


@contextmanager
def signals_raise() -> Iterator[None]:
    """Within it, SIGTERM and SIGHUP raise Stopped."""
    _last.clear()
    # One that is ignored stays so: that is what `nohup` asks for.
    heard = [number for number in SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
    previous = {number: signal.signal(number, _on_signal) for number in heard}
    try:
        yield
    finally:
        _last.clear()
        for number, handler in previous.items():
            signal.signal(number, handler)


def _on_signal(number: int, _frame: FrameType | None) -> NoReturn:
    _last.append(Stopped(number))
    raise _last[-1]


def stop_at_end_of_input() -> None:
    """Stop, as by SIGTERM, when standard input ends.

    Where that is a pipe from the parent, it ends with the parent, however that went: also when it
    was killed and could tell nobody.
    """
    threading.Thread(target=_wait_for_end, daemon=True).start()


def _wait_for_end() -> None:
    while os.read(0, 1024):  # not through `sys.stdin`, whose lock would be held at our exit
        pass
    if hasattr(signal, "setitimer"):
        # The kernel's own clock, which ends us also where a library holds Python's lock.
        signal.setitimer(signal.ITIMER_REAL, GRACE + 0.2)
    signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGTERM)
    time.sleep(GRACE)
    os._exit(128 + signal.SIGTERM)  # a library has caught Stopped, and goes on


def die_with(parent: int) -> None:
    """End at once, as by SIGKILL, when the process that started this one has ended.

    For a process that has nothing to leave whole. Without Linux it does nothing: such a process
    ends when it looks at its input, if later.

    Args:
        parent: the number of that process, which may have ended before this call.
    """
    if sys.platform == "linux":
        import ctypes

        # It is asked for of the thread that started this process: that one waits for it.
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os.kill(os.getpid(), signal.SIGKILL)
