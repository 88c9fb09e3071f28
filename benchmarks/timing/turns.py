"""Several training loops in one process that take their steps in turn.

Each participant is a function that trains as it always does, in a thread of its own. Only one
thread runs at a time: when its optimizer has stepped (a hook of PyTorch's tells), it waits for its
next turn. So step k of one stands beside step k of another, and what slows the machine down falls
on both. Each participant has its own random generators: they are put back at its turn.
"""

import threading
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch.optim.optimizer import register_optimizer_step_post_hook

from benchmarks.timing.balanced_orders import balanced
from benchmarks.timing.clock import Clock, Step
from reference.errors import TrainingFailed
from reference.observe.generators import generators, set_generators
from reference.observe.tensors.hashing import hash_tensors

AWAKE = 1.0  # seconds


class Abandoned(BaseException):
    """Ends a participant's thread when another one failed. A BaseException: no loop catches it."""


class Participant:
    """One function that trains on a device, its thread, and its steps' times."""

    def __init__(
        self,
        name: str,
        train: Callable[["Participant"], Any],
        num_threads: int,
        device: str = "cpu",
    ) -> None:
        """Nothing starts yet.

        Args:
            name: the thread's name too.
            train: called with this participant in its thread; what takes no optimizer step calls
                `end_step` itself.
            num_threads: PyTorch's, for this thread.
            device: `cpu` or `cuda`, whose clock times the steps.
        """
        self.name = name
        self._device = device
        self.steps: list[Step] = []
        self.done = False
        self.error: BaseException | None = None
        self.weights: list[str] = []  # a hash of each parameter, after the last step
        self.norm = 0.0  # of all parameters together, after the last step
        self._parameters: list[torch.nn.Parameter] = []
        self._resume, self._paused = threading.Semaphore(0), threading.Semaphore(0)
        self._generators = generators()
        self._abandoned = False
        self._thread = threading.Thread(
            target=self._run, args=(train, num_threads), name=name, daemon=True
        )

    def take_turn(self) -> None:
        """Let it run to the end of its next step, or to its own end. Raises what `train` raised."""
        if not self._thread.is_alive():
            self._thread.start()
        self._resume.release()
        # Not for ever: a Ctrl-C that came just before the wait is seen when it is over.
        while not self._paused.acquire(timeout=AWAKE):
            pass
        if self.error is not None:
            raise self.error

    def end_step(self, optimizer: torch.optim.Optimizer | None = None) -> None:
        """Called in the participant's thread: its step is over, and it waits for its next turn."""
        self.steps.append(self.clock.read())
        if optimizer is not None:
            self._parameters = [p for group in optimizer.param_groups for p in group["params"]]
        self._generators = generators()
        self._paused.release()
        self._wait()

    def abandon(self) -> None:
        """End its thread, where it waits for its turn or will at its step's end."""
        if self._thread.is_alive():
            self._abandoned = True
            self._resume.release()
            self._thread.join()

    def _wait(self) -> None:
        self._resume.acquire()
        if self._abandoned:
            raise Abandoned
        set_generators(self._generators)
        self.clock.restart()

    def _run(self, train: Callable[["Participant"], Any], num_threads: int) -> None:
        torch.set_num_threads(num_threads)  # each thread of the system has its own number
        try:
            self.clock = Clock(self._device)
            self._wait()
            train(self)
            self.weights = hash_tensors(self._parameters)
            self.norm = float(torch.nn.utils.get_total_norm(self._parameters))
        except Abandoned:
            pass
        except BaseException as error:
            self.error = error
        finally:
            self.done = True
            if hasattr(self, "clock"):
                self.clock.close()
            self._paused.release()


def take_turns(participants: Sequence[Participant], num_steps: int) -> None:
    """Run all to their ends, step by step, in the orders of `balanced`.

    Their times are then in `Participant.steps`; the first one holds what comes before the training.

    Raises:
        TrainingFailed: one took another number of steps than `num_steps`.
        BaseException: what a participant raised; the others are ended.
    """
    by_thread = {p._thread: p for p in participants}
    orders = balanced(len(participants))
    before = generators()

    def ended(optimizer: torch.optim.Optimizer, *_: Any) -> None:
        by_thread[threading.current_thread()].end_step(optimizer)

    handle = register_optimizer_step_post_hook(ended)
    try:
        for step in range(num_steps + 1):  # and one turn more, for what comes after the last step
            for place in orders[step % len(orders)]:
                participants[place].take_turn()
        for participant in participants:
            if not participant.done or len(participant.steps) != num_steps:
                raise TrainingFailed(
                    f"{participant.name} took {len(participant.steps)} steps, not {num_steps}"
                )
    finally:
        for participant in participants:
            participant.abandon()  # the hook still stands: it ends where its step does
        handle.remove()
        set_generators(before)
