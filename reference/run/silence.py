"""Several processes that watch each other: one that says nothing any more ends the run.

    python -m reference launch cpu-2 train accelerated

A process that was killed closes its connections, and the others learn of it at once, but not which
one it was. One that was stopped, or that a network has cut off, doesn't even do that: they would
wait for its gradients for as long as torch's time-out lasts, half an hour by default. So each says
every second that it is there, and, when it fails, why.
"""

import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from reference.errors import NotFinite, OutOfSpace, TrainingFailed
from reference.messages import first_line
from reference.observe.script.launcher import Launch
from reference.process.exit_codes import end_process, last_words

BEAT = 1.0  # seconds between two words
LIMIT = 25.0  # seconds of silence, after which a process is given up
GONE = 4.0  # seconds of silence of a process whose connection has broken, too
PATIENCE = timedelta(seconds=5)  # with the store
# For a thread to end in: to reach the store, to ask it, and to learn that it has gone meanwhile, it
# may wait three times as long as PATIENCE.
ENOUGH = timedelta(seconds=20)
LAST = "last"  # the key of a rank's last words


@contextmanager
def no_silence(launch: Launch, limit: float = LIMIT) -> Iterator[None]:
    """Within it, this process ends with exit code 3 where another one is silent for `limit`.

    Args:
        launch: which process this one is.
        limit: in seconds.

    Raises:
        TrainingFailed: in place of a library's own error, where another process is gone: names its
            rank, and says why if it could tell.
    """
    if launch.world_size == 1:
        yield
        return
    others = _Others(launch, limit)
    others.begin()
    try:
        yield
    except BaseException as error:
        known = _with_who_is_gone(error, others)
        others.end(known)
        if known is error:
            raise
        raise known from error
    others.end()


def _with_who_is_gone(error: BaseException, others: "_Others") -> BaseException:
    """This process's error; where it comes of another process that is gone, one that says so."""
    if not isinstance(error, RuntimeError):  # an InputError, which all have alike
        return error
    others.tell(str(error))
    # What isn't finite, or has no space, is this process's own, whatever the others do.
    own = isinstance(error, NotFinite | OutOfSpace)
    said = None if own else others.gone()
    return error if said is None else TrainingFailed(f"{said} ({first_line(str(error))})")


class _Others:
    """The processes of a launch, as this one hears of them."""

    def __init__(self, launch: Launch, limit: float) -> None:
        self._launch = launch
        self._limit = limit
        self._over = threading.Event()
        self._heard = dict.fromkeys(range(launch.world_size), time.monotonic())
        self._last_words: dict[int, str] = {}
        self._own_last_words = ""
        tasks = (self._talk, self._look)
        self._threads = [threading.Thread(target=task, daemon=True) for task in tasks]

    def begin(self) -> None:
        for thread in self._threads:
            thread.start()

    def end(self, error: BaseException | None = None) -> None:
        """Stop listening; end this process where that can't be done, for `error` if there is one.

        A store whose process was stopped never answers, whatever time-out it was given, and a
        thread that still waits for it within torch would bring our exit down.
        """
        self._over.set()
        for thread in self._threads:
            thread.join(ENOUGH.total_seconds())
        if not any(thread.is_alive() for thread in self._threads):
            return
        if error is None or isinstance(error, SystemExit):
            end_process(_unheard(0, ENOUGH.total_seconds()))
        end_process(*last_words(error))

    def tell(self, why: str) -> None:
        """Let the others know why this process ends, and give them the time to hear it."""
        self._own_last_words = f"rank {self._launch.rank}: {why}"
        time.sleep(2.5 * BEAT)

    def gone(self) -> str | None:
        """What to say of a process that is gone, now that this one's connections have broken.

        None where all are still heard of: then it was no process that broke them.
        """
        since = time.monotonic() + 2 * BEAT
        while True:
            rank = self._silent(GONE)
            if rank is not None:
                return self._last_words.get(rank) or (
                    f"rank {rank} is gone: its process was killed, or its machine is cut off; this "
                    "run ends"
                )
            if all(last > since for last in self._heard.values()):
                return None
            time.sleep(BEAT / 4)

    def _silent(self, limit: float) -> int | None:
        """The first rank that wasn't heard of for so long."""
        now = time.monotonic()
        silent = [rank for rank, last in self._heard.items() if now - last > limit]
        if not silent:
            return None
        # Without the store, which rank 0's process or the launcher keeps, nobody is heard at all.
        return 0 if self._launch.rank in silent else silent[0]

    def _talk(self) -> None:
        """Say that this process is there, and note when each one was last heard of."""
        words: dict[int, bytes] = {}
        count = 0
        store: Any = None
        while not self._over.is_set():
            try:
                store = store or self._store()
                count += 1
                if self._own_last_words:
                    store.set(f"{LAST} {self._launch.rank}", self._own_last_words)
                store.set(str(self._launch.rank), str(count))
                for rank in self._heard:
                    self._listen(store, rank, words)
            except Exception:  # the store is rank 0's, which may have ended: time tells
                store = None
            self._over.wait(BEAT)

    def _listen(self, store: Any, rank: int, words: dict[int, bytes]) -> None:
        if store.check([str(rank)]) and (word := store.get(str(rank))) != words.get(rank):
            words[rank], self._heard[rank] = word, time.monotonic()
        if store.check([f"{LAST} {rank}"]):
            self._last_words[rank] = store.get(f"{LAST} {rank}").decode()

    def _store(self) -> Any:
        """Where the processes met; by a connection of our own: torch's waits within its work."""
        import torch.distributed as dist

        address, port = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
        # torch says more than a screen where nobody answers.
        socket.create_connection((address, port), PATIENCE.seconds).close()
        store = dist.TCPStore(  # type: ignore[attr-defined]
            address, port, is_master=False, wait_for_workers=False, timeout=PATIENCE
        )
        return dist.PrefixStore(  # type: ignore[attr-defined]
            f"silence of {self._launch.name}", store
        )

    def _look(self) -> None:
        while not self._over.wait(BEAT):
            rank = self._silent(self._limit)
            if rank is not None:
                end_process(_unheard(rank, self._limit))


def _unheard(rank: int, seconds: float) -> str:
    return (
        f"rank {rank} hasn't been heard of for {seconds:.0f} s: its process was stopped, or its "
        "machine is cut off; this run ends"
    )
