"""What is launched from a notebook comes to an end, and leaves no process behind."""

import multiprocessing
import signal
import socket
from multiprocessing.context import SpawnProcess

import pytest

from reference.errors import TrainingFailed
from reference.process.notebook_processes import time_limit
from reference.process.ports import free_port
from tests.helpers.waiting import LIMIT

SPAWN = multiprocessing.get_context("spawn")


def pausing() -> SpawnProcess:
    process = SPAWN.Process(target=signal.pause)
    process.start()
    return process


def test_what_hangs_is_ended_with_its_processes() -> None:
    before, launched = pausing(), []

    @time_limit(LIMIT)
    def hang() -> None:
        launched.append(pausing())
        signal.raise_signal(signal.SIGALRM)  # as the timer does when the time is over
        launched[0].join(LIMIT)

    with pytest.raises(TrainingFailed, match=r"^no end after 600 s, .*set_num_threads\(1\)"):
        hang()
    launched[0].join(LIMIT)
    assert launched[0].exitcode == -signal.SIGKILL
    assert before.is_alive()
    before.kill()
    before.join(LIMIT)


def test_what_ends_in_time_is_left_alone() -> None:
    handler = signal.getsignal(signal.SIGALRM)
    with time_limit(LIMIT):
        assert signal.getitimer(signal.ITIMER_REAL)[0] > 0
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
    assert signal.getsignal(signal.SIGALRM) is handler


def test_a_free_port_can_be_listened_on() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", free_port()))
