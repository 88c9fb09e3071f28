"""What doesn't depend on the clock, counted in one step: operators, bytes, reads, launches.

Each is the same in every run of one build. `reads` are values that the host takes from a tensor
(`.item()` and its like): on a GPU each is a synchronisation. Of a CUDA device's part only the sums
have been run, on events made up: no such device was to be had.
"""

import contextlib
import os
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

from torch.optim.optimizer import register_optimizer_step_post_hook
from torch.profiler import ProfilerActivity, profile
from transformers import set_seed

from benchmarks import bare
from benchmarks.measured import unheard
from reference.data.pipeline import Data
from reference.errors import TrainingFailed
from reference.recipe import Recipe

BEFORE = 3  # steps before the one that is counted: the optimizer's state is there by then
READ = "aten::_local_scalar_dense"
LAUNCHES = ("cudaLaunchKernel", "cudaLaunchKernelExC", "cuLaunchKernel", "cuLaunchKernelEx")
MEMORY = "[memory]"
ITS_OWN = 1  # `torch.profiler` synchronises as it stops, while it still looks (2.13)
SYNCHRONISES = ("cudaStreamSynchronize", "cudaDeviceSynchronize", "cudaEventSynchronize")


@dataclass(frozen=True)
class Counts:
    """One training step's, from an optimizer step's end to the next one's."""

    operators: int  # of PyTorch's own, those within others too
    bytes: int  # allocated, freed or not
    peak_bytes: int  # at once, above what was there before the step
    reads: int
    kernel_launches: int | None = None  # None: no CUDA device
    synchronisations: int | None = None  # without the profiler's own, as it stops

    def to_json(self) -> dict[str, int]:
        return {name: n for name, n in asdict(self).items() if n is not None}


def count_step(train: Callable[[], Any], device: str) -> Counts:
    """Train, and count what the step after the first `BEFORE` does."""
    cuda = device == "cuda"
    activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if cuda else [])]
    profiler = profile(activities=activities, profile_memory=True)
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
        with unheard(), _profiler_unheard():
            train()
    finally:
        handle.remove()
    if ended <= BEFORE:
        raise ValueError(f"{ended} steps were taken: counting needs {BEFORE + 1}")
    stopped: Any = profiler.profiler  # by its type it may be None, which it isn't once it ran
    events = stopped.kineto_results.events()
    where = "CUDA" if cuda else "CPU"
    memory = [e for e in events if e.name() == MEMORY and e.device_type().name == where]
    return _counts([e.name() for e in events], [e.nbytes() for e in memory], cuda)


@contextlib.contextmanager
def _profiler_unheard() -> Iterator[None]:
    """The profiler's library writes its starts and stops to the process's own error stream."""
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def _counts(names: list[str], changes: list[int], cuda: bool) -> Counts:
    """Of the names of all that happened, and of the device's memory as it was taken and freed.

    Raises TrainingFailed where a CUDA device launched nothing: it isn't seen then.
    """
    launches = sum(n in LAUNCHES for n in names)
    if cuda and not launches:
        raise TrainingFailed(
            "a step on a CUDA device without any kernel: the profiler isn't allowed to see them "
            "here (CUPTI); run where it is"
        )
    held = peak = 0
    for change in changes:
        held += change
        peak = max(peak, held)
    return Counts(
        operators=sum(name.startswith("aten::") for name in names),
        bytes=sum(n for n in changes if n > 0),
        peak_bytes=peak,
        reads=names.count(READ),
        kernel_launches=launches if cuda else None,
        synchronisations=sum(n in SYNCHRONISES for n in names) - ITS_OWN if cuda else None,
    )


def tokens(recipe: Recipe, data: Data) -> dict[str, int]:
    """Of the batches that the run trains on: real tokens, and those that only pad."""
    set_seed(recipe.seed)
    real = total = 0
    for batch in bare.fetched(recipe, data):
        real += int(batch["attention_mask"].sum())
        total += batch["attention_mask"].numel()
    return {"tokens": real, "padded": total - real}


def padding(recipe: Recipe, data: Data) -> dict[str, Any]:
    """`tokens`, and the padding's share of all."""
    counted = tokens(recipe, data)
    return {**counted, "padding_share": counted["padded"] / sum(counted.values())}
