"""Steps taken in turn: who follows whom, and how all end when one fails or is stopped."""

import signal
import threading
import time
from itertools import pairwise

import pytest
import torch

from benchmarks.timing.balanced_orders import balanced
from benchmarks.timing.turns import Participant, take_turns


@pytest.mark.parametrize("count", [2, 3, 6])
def test_each_takes_each_place_and_follows_each_equally_often(count: int) -> None:
    orders = balanced(count)
    for place in range(count):
        taken = [order[place] for order in orders]
        assert {taken.count(one) for one in range(count)} == {len(orders) // count}
    follows = [pair for order in orders for pair in pairwise(order)]
    assert len({follows.count(pair) for pair in follows}) == 1
    assert len(set(follows)) == count * (count - 1)


def test_turns_end_when_a_participant_fails() -> None:
    def fails(participant: Participant) -> None:
        participant.end_step()
        raise ValueError("planted")

    def goes_on(participant: Participant) -> None:
        for _ in range(3):
            participant.end_step()

    both = [Participant("fails", fails, 1), Participant("goes on", goes_on, 1)]
    with pytest.raises(ValueError, match="planted"):
        take_turns(both, 3)
    assert not any(p._thread.is_alive() for p in both)


def test_whoever_is_stopped_in_the_middle_takes_no_more_steps() -> None:
    steps: list[str] = []

    def trains(participant: Participant) -> None:
        weight = torch.nn.Parameter(torch.zeros(1))
        optimizer = torch.optim.SGD([weight], lr=0.1)
        for step in range(50):
            if step == 2 and participant.name == "first":
                # Ctrl-C, while this one is within its step.
                signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
                while not participant._abandoned:  # the main thread has seen it
                    time.sleep(0.001)
            steps.append(participant.name)
            weight.grad = torch.ones(1)
            optimizer.step()

    both = [Participant(name, trains, 1) for name in ("first", "second")]
    with pytest.raises(KeyboardInterrupt):
        take_turns(both, 50)
    assert steps.count("first") == 3
    assert steps.count("second") in (2, 3)
    assert not any(p._thread.is_alive() for p in both)
