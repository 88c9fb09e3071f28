"""Global state that a training run changes, put back when it is over.

The tests after `assert_same_run` in somebody's session must not notice that it ran.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import datasets
import torch
import transformers
from accelerate.state import AcceleratorState, GradientState, PartialState
from huggingface_hub.utils.tqdm import (
    are_progress_bars_disabled,
    disable_progress_bars,
    enable_progress_bars,
)

from reference.observe.generators import generators, set_generators

# Shared by all their instances, which look into these very dicts.
SINGLETONS = (PartialState, AcceleratorState, GradientState)


@contextmanager
def clean_state() -> Iterator[None]:
    """Within it PyTorch's and Accelerate's defaults; afterwards all is as it was before."""
    states = generators()
    settings = [(get, put, get()) for get, put in _SETTINGS]
    environment = dict(os.environ)
    shared = [(s, dict(s._shared_state)) for s in SINGLETONS]
    for singleton in SINGLETONS:
        singleton._shared_state.clear()
    torch.set_grad_enabled(True)
    torch.set_default_dtype(torch.float32)
    torch.set_float32_matmul_precision("highest")
    if torch.are_deterministic_algorithms_enabled():  # the call itself imports all of inductor
        torch.use_deterministic_algorithms(False)
    try:
        yield
    finally:
        for get, put, value in settings:
            if get() != value:
                put(value)
        os.environ.clear()
        os.environ.update(environment)
        for singleton, state in shared:
            singleton._shared_state.clear()
            singleton._shared_state.update(state)
        set_generators(states)


def _deterministic() -> tuple[bool, bool]:
    warn_only = torch.is_deterministic_algorithms_warn_only_enabled()
    return torch.are_deterministic_algorithms_enabled(), warn_only


def _put_deterministic(value: tuple[bool, bool]) -> None:
    torch.use_deterministic_algorithms(value[0], warn_only=value[1])


def _cudnn() -> tuple[bool, bool, bool]:
    cudnn = torch.backends.cudnn
    return cudnn.deterministic, cudnn.benchmark, cudnn.allow_tf32


def _put_cudnn(value: tuple[bool, bool, bool]) -> None:
    cudnn = torch.backends.cudnn
    cudnn.deterministic, cudnn.benchmark, cudnn.allow_tf32 = value


def _switch(on: Callable[[], object], off: Callable[[], object]) -> Callable[[bool], object]:
    return lambda value: on() if value else off()


_SETTINGS: list[tuple[Callable[[], Any], Callable[[Any], Any]]] = [
    (torch.get_num_threads, torch.set_num_threads),
    (_deterministic, _put_deterministic),
    (_cudnn, _put_cudnn),
    (torch.is_grad_enabled, torch.set_grad_enabled),
    (torch.get_default_dtype, torch.set_default_dtype),
    (torch.get_float32_matmul_precision, torch.set_float32_matmul_precision),
    (transformers.logging.get_verbosity, transformers.logging.set_verbosity),
    (datasets.logging.get_verbosity, datasets.logging.set_verbosity),
    (
        transformers.logging.is_progress_bar_enabled,
        _switch(
            transformers.logging.enable_progress_bar, transformers.logging.disable_progress_bar
        ),
    ),
    (
        datasets.are_progress_bars_disabled,
        _switch(datasets.disable_progress_bars, datasets.enable_progress_bars),
    ),
    # This one comes last, as the switch of transformers moves it too.
    (are_progress_bars_disabled, _switch(disable_progress_bars, enable_progress_bars)),
]
