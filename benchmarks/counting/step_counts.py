"""One step's operators, bytes, reads and launches, counted by PyTorch's profiler.

The profiler's events are named as torch 2.11 and 2.13 name them; `launches` of a CUDA device that
seem to be zero are an error.
"""

import contextlib
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from torch.optim.optimizer import register_optimizer_step_post_hook
from torch.profiler import ProfilerActivity, profile
from transformers import set_seed

from benchmarks.timing import timed_work
from benchmarks.timing.quiet import without_output
from reference.errors import TrainingFailed
from reference.lesson.data.pipeline import Data
from reference.lesson.recipe import Recipe

BEFORE = 3  # steps before the one that is counted: the optimizer's state is there by then
READ = "aten::_local_scalar_dense"
LAUNCHES = ("cudaLaunchKernel", "cudaLaunchKernelExC", "cuLaunchKernel", "cuLaunchKernelEx")
MEMORY = "[memory]"
SYNCHRONISES = ("cudaStreamSynchronize", "cudaDeviceSynchronize", "cudaEventSynchronize")


@dataclass(frozen=True)
class Counts:
    """The counts of one step, from an optimizer step's end to the next one's."""

    operators: int  # PyTorch's own, those within others too
    bytes: int  # allocated, freed or not
    reads: int  # values that the host takes from a tensor (`.item()`); on a GPU each one waits
    kernel_launches: int | None = None  # None without a CUDA device
    synchronisations: int | None = None  # without the profiler's own

    def to_json(self) -> dict[str, int]:
        """The counts that there are, by name."""
        return {name: n for name, n in asdict(self).items() if n is not None}


def count_step(train: Callable[[], Any], device: str) -> Counts:
    """Count the step after the first `BEFORE` ones.

    Args:
        train: a training of more than `BEFORE` steps.
        device: `cpu` or `cuda`.

    Raises:
        ValueError: fewer steps were taken.
        TrainingFailed: the profiler sees no kernel of a CUDA device.
    """
    cuda = device == "cuda"
    own = _own_synchronisations() if cuda else 0
    profiler = _profiler(cuda)
    ended = 0

    def hook(*_: Any) -> None:
        nonlocal ended
        ended += 1
        if ended == BEFORE:
            profiler.start()
        elif ended == BEFORE + 1:
            profiler.stop()

    handle = register_optimizer_step_post_hook(hook)
    try:
        with without_output(), _quiet_profiler():
            train()
    finally:
        handle.remove()
    if ended <= BEFORE:
        raise ValueError(f"{ended} steps were taken: counting needs {BEFORE + 1}")
    events = _events(profiler)
    where = "CUDA" if cuda else "CPU"
    memory = [e.nbytes() for e in events if e.name() == MEMORY and e.device_type().name == where]
    return _counts([e.name() for e in events], memory, cuda, own)


def _profiler(cuda: bool) -> profile:
    activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if cuda else [])]
    # With `acc_events` or without, one start and stop are the same; without, torch 2.11 warns.
    return profile(activities=activities, profile_memory=True, acc_events=True)


def _events(stopped: profile) -> Sequence[Any]:
    profiler: Any = stopped.profiler  # by its type it may be None, which it isn't once it ran
    events: Sequence[Any] = profiler.kineto_results.events()
    return events


def _own_synchronisations() -> int:
    """How often the profiler itself waits for the device: it counts those waits too."""
    profiler = _profiler(cuda=True)
    with _quiet_profiler():
        profiler.start()
        profiler.stop()
    return sum(event.name() in SYNCHRONISES for event in _events(profiler))


@contextlib.contextmanager
def _quiet_profiler() -> Iterator[None]:
    """The profiler's library writes its starts and stops to the process's error stream."""
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def _counts(names: list[str], changes: list[int], cuda: bool, own: int = 0) -> Counts:
    """The counts, from the names of all events and the changes of the device's memory in bytes.

    `own` synchronisations are taken off: they were the profiler's.
    """
    launches = sum(n in LAUNCHES for n in names)
    if cuda and not launches:
        raise TrainingFailed(
            "the profiler saw no kernel of the CUDA device: it isn't allowed to here (CUPTI); run "
            "where it is"
        )
    return Counts(
        operators=sum(name.startswith("aten::") for name in names),
        bytes=sum(n for n in changes if n > 0),
        reads=names.count(READ),
        kernel_launches=launches if cuda else None,
        synchronisations=sum(n in SYNCHRONISES for n in names) - own if cuda else None,
    )


def tokens(recipe: Recipe, data: Data) -> dict[str, int]:
    """Real tokens (`tokens`) and padding (`padded`) in the batches that the run trains on."""
    set_seed(recipe.seed)
    real = total = 0
    for batch in timed_work.pipeline_batches(recipe, data):
        real += int(batch["attention_mask"].sum())
        total += batch["attention_mask"].numel()
    return {"tokens": real, "padded": total - real}


def padding(recipe: Recipe, data: Data) -> dict[str, Any]:
    """`tokens`, and padding's share of all: for the `extra_info` of a benchmark with steps."""
    counted = tokens(recipe, data)
    return {**counted, "padding_share": counted["padded"] / sum(counted.values())}
