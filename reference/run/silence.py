"""Several processes that watch each other: one that says nothing any more ends the run.

    python -m reference launch cpu-2 train accelerated

A process that was killed closes its connections, and the others learn of it at once. One that was
stopped, or that a network has cut off, doesn't: they would wait for its gradients for as long as
torch's time-out lasts, half an hour by default. So each says every second that it is there.
"""

import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from reference.errors import TrainingFailed
from reference.observe.script.launcher import Launch

BEAT = 1.0  # seconds between two words
LIMIT = 25.0  # seconds of silence, after which a process is given up


@contextmanager
def no_silence(launch: Launch, limit: float = LIMIT) -> Iterator[None]:
    """Within it, this process ends with exit code 3 where another one is silent for `limit`.

    Args:
        launch: which process this one is.
        limit: in seconds.
    """
    if launch.world_size == 1:
        yield
        return
    over = threading.Event()
    heard = dict.fromkeys(range(launch.world_size), time.monotonic())
    talk = threading.Thread(target=_talk, args=(launch, heard, over), daemon=True)
    look = threading.Thread(target=_look, args=(launch, heard, over, limit), daemon=True)
    talk.start()
    look.start()
    try:
        yield
    finally:
        over.set()
        look.join()


def _talk(launch: Launch, heard: dict[int, float], over: threading.Event) -> None:
    """Say that this process is there, and note when each one was last heard of."""
    words: dict[int, bytes] = {}
    count = 0
    store: Any = None
    while not over.is_set():
        try:
            store = store or _store(launch)
            count += 1
            store.set(str(launch.rank), str(count))
            for rank in heard:
                if store.check([str(rank)]) and (word := store.get(str(rank))) != words.get(rank):
                    words[rank], heard[rank] = word, time.monotonic()
        except Exception:  # the store is rank 0's, which may have ended: `_look` goes by the clock
            store = None
        over.wait(BEAT)


def _store(launch: Launch) -> Any:
    """Where the processes met. A connection of our own: torch's waits within its operations."""
    import torch.distributed as dist

    address, port = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
    store = dist.TCPStore(  # type: ignore[attr-defined]
        address, port, is_master=False, wait_for_workers=False, timeout=timedelta(seconds=5)
    )
    return dist.PrefixStore(  # type: ignore[attr-defined]
        f"silence of {launch.name}", store
    )


def _look(launch: Launch, heard: dict[int, float], over: threading.Event, limit: float) -> None:
    while not over.wait(BEAT):
        now = time.monotonic()
        silent = [rank for rank, last in heard.items() if now - last > limit]
        if not silent:
            continue
        # Without the store, which rank 0's process or the launcher keeps, nobody is heard at all.
        rank = 0 if launch.rank in silent else silent[0]
        print(
            f"reference: error: rank {rank} hasn't been heard of for {limit:.0f} s: its process "
            "was stopped, or its machine is cut off; this run ends",
            file=sys.stderr,
            flush=True,
        )
        os._exit(TrainingFailed.exit_code)  # the training waits within torch, and can't be told
