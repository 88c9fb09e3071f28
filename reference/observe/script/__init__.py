"""The ledger of a training that isn't ours: any script's, or a notebook's, kept from outside.

    python -m reference observe train.py --learning_rate 3e-5

In a notebook's cell, or anywhere in a program of one's own:

    from reference.observe.script import observing

    with observing("runs/mine"):
        train()

The folder gets `program.json` and `ledger.jsonl`, and, where a launcher runs several processes,
`ledger-1.jsonl` for rank 1 and so on. Nothing is imported that the program doesn't import.
"""

import functools
import hashlib
import numbers
import os
import platform
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reference.ledger.record import Record
from reference.observe.script.import_hook import WhenImported
from reference.observe.script.launcher import Launch, launched, take_folder
from reference.observe.script.tolerant_writer import PatientWriter
from reference.process.versions import machine, versions

if TYPE_CHECKING:  # it imports torch
    from reference.observe.observer import Observer


@contextmanager
def observing(run_dir: str | Path) -> Iterator["Observer"]:
    """Keep a ledger, in the new folder `run_dir`, of all that trains within the `with`.

    Gives the Observer: its `steps` counts, its `add_scores` takes an evaluation's scores. Raises
    InputError for a folder that holds another run. What the `with` raises goes on to the caller.
    """
    program = describe_program()
    launch = launched()
    folder = take_folder(Path(run_dir), program, launch)
    import torch as _torch  # noqa: F401  (the Observer starts with it)

    observation = Observation(folder, program, launch)
    observation.begin()
    assert observation.observer is not None
    complete = False
    try:
        yield observation.observer
        complete = True
    finally:
        observation.end(complete)


def describe_program() -> Record:
    """The program that runs in this process: script (None in a notebook), arguments, hash."""
    path = getattr(sys.modules.get("__main__"), "__file__", None)
    try:
        source = None if path is None else Path(path).read_bytes()
    except OSError:  # a file in an archive, or gone
        source = None
    return program_record(path, sys.argv[1:], source)


def program_record(script: str | None, arguments: list[str], source: bytes | None) -> Record:
    """`script` as it was given; SHA-256 of its text, in hex."""
    sha256 = None if source is None else hashlib.sha256(source).hexdigest()
    return {"script": script, "argv": arguments, "sha256": sha256}


class Observation:
    """Observes this process from its import of torch on, if that ever comes, to `end`."""

    def __init__(self, folder: Path, program: Record, launch: Launch) -> None:
        self.observer: Observer | None = None
        self.ledger = folder / launch.ledger_file
        self._header = functools.partial(header, program, launch)
        self._process = os.getpid()
        self._ended = False
        self._put_back: list[Callable[[], None]] = []
        self._imports = WhenImported({"torch": self._observe, "evaluate": self._hear_scores})

    @property
    def steps(self) -> int:
        """The steps seen; all of them after `end`."""
        return 0 if self.observer is None else self.observer.steps

    @property
    def lost(self) -> str:
        """Why observing stopped before the program's end; empty where it didn't."""
        return "" if self.observer is None else self.observer.careful.lost

    @property
    def forked(self) -> bool:
        """Whether this is a child of the process that is observed."""
        return os.getpid() != self._process

    def begin(self) -> None:
        self._imports.install()

    def end(self, complete: bool) -> None:
        """Write the ledger's last record; `complete`: the program came to its end by itself."""
        self._ended = True
        self._imports.remove()
        for put_back in self._put_back:
            put_back()
        if self.observer is not None and not self.forked:
            self.observer.__exit__(None if complete else BaseException, None, None)

    def _observe(self) -> None:
        from reference.observe.observer import Observer

        # Said of the observer's hooks, which a compiled model passes by: no news for the program.
        warnings.filterwarnings("ignore", r"Using `torch.compile\(module\)` when there are global")
        self.observer = Observer(PatientWriter(self.ledger, self._header))
        self.observer.__enter__()

    def _hear_scores(self) -> None:
        """What `evaluate` computes are an evaluation's scores."""
        module = sys.modules["evaluate"].EvaluationModule
        compute = module.compute

        def compute_and_tell(*args: Any, **kwargs: Any) -> Any:
            """As without an observer."""  # each metric copies this method and adds to its text
            scores = compute(*args, **kwargs)
            if isinstance(scores, Mapping) and self.observer is not None and not self._ended:
                plain = {k: float(v) for k, v in scores.items() if isinstance(v, numbers.Real)}
                self.observer.add_scores(plain)
            return scores  # None in all processes but the first

        module.compute = compute_and_tell
        self._put_back.append(lambda: setattr(module, "compute", compute))


def header(program: Record, launch: Launch) -> Record:
    """What identifies the run: made when the first record is written, and not before.

    The program may set the number of threads, and to ask for a GPU's name would claim the GPU.
    """
    import torch

    cuda = torch.cuda.is_initialized()  # type: ignore[no-untyped-call]
    return {
        "program": program,
        "versions": versions(),
        "python": platform.python_version(),
        "platform": machine(),
        "device": torch.cuda.get_device_name() if cuda else "cpu",
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "num_threads": torch.get_num_threads(),
        "rank": launch.rank,
        "world_size": launch.world_size,
    }
