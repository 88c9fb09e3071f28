"""A program observed from its import of torch to its end; and `observing`, the same in Python.

Nothing is imported that the program doesn't import.
"""

import functools
import hashlib
import os
import platform
import sys
from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reference.ledger.record import Record
from reference.messages import say
from reference.observe.script.evaluate_scores import scores_taken
from reference.observe.script.import_hook import ImportHook
from reference.observe.script.launcher import Launch, launched
from reference.observe.script.shared_folder import folder_of, take_folder
from reference.observe.script.tolerant_writer import TolerantWriter
from reference.process.versions import machine, versions

if TYPE_CHECKING:  # it imports torch
    from reference.observe.observer import Observer

IN_CHILDREN = "what trains is in processes that were forked from this one"


@contextmanager
def observing(run_dir: str | Path, *, inside: Collection[int] = ()) -> Iterator["Observer"]:
    """Keep a ledger of all that trains within the `with`, whose errors go on to the caller.

    Args:
        run_dir: a new folder, which gets `program.json` and `ledger.jsonl`.
        inside: the steps, from 1, of which the ledger also gets the calls within the model.

    Yields:
        The observer: `steps` says how many were written, `add_scores` takes an evaluation's scores.

    Raises:
        InputError: for a folder that holds another run, or can't be made.
    """
    program = describe_program()
    launch = launched()
    folder = take_folder(folder_of(Path(run_dir), "", launch), program, launch)
    import torch as _torch  # noqa: F401  (the Observer starts with it)

    observation = Observation(folder, program, launch, inside=inside)
    observation.begin()
    assert observation.observer is not None
    complete = False
    try:
        yield observation.observer
        complete = True
    finally:
        observation.end(complete)
        if observation.trains_in_children and not observation.forked:
            say(
                f"{run_dir}: no step was recorded: {IN_CHILDREN}; begin `with observing(...)` in "
                "the function that they run, as notebook_launcher takes it"
            )


def describe_program() -> Record:
    """The program that runs in this process: script (None in a notebook), arguments, hash."""
    path = getattr(sys.modules.get("__main__"), "__file__", None)
    try:
        source = None if path is None else Path(path).read_bytes()
    except OSError:  # a file in an archive, or gone
        source = None
    return program_record(path, sys.argv[1:], source)


def program_record(script: str | None, arguments: list[str], source: bytes | None) -> Record:
    """What a ledger says of the program.

    Args:
        script: as it was given; None in a notebook.
        arguments: those after it.
        source: its text, of which the record has the SHA-256 in hex.
    """
    sha256 = None if source is None else hashlib.sha256(source).hexdigest()
    return {"script": script, "argv": arguments, "sha256": sha256}


class Observation:
    """Observes this process from its import of torch on, if that ever comes, to `end`.

    Args:
        folder: of the run, absolute; it is there.
        program: as `program_record` makes it.
        launch: which process of a launch this one is.
        inside: as Observer takes it.
        until: as Observer takes it.
    """

    def __init__(
        self,
        folder: Path,
        program: Record,
        launch: Launch,
        *,
        inside: Collection[int] = (),
        until: int | None = None,
    ) -> None:
        self._inside, self._until = inside, until
        self.observer: Observer | None = None
        self.ledger = folder / launch.ledger_file
        self.writer = TolerantWriter(
            self.ledger, functools.partial(header_of_program, program, launch)
        )
        self._process = os.getpid()
        self._ended = False
        self._patches = ExitStack()
        self._imports = ImportHook(
            {
                "torch": self._observe,
                "evaluate": self._take_scores,
                "safetensors.torch": self._watch_safetensors,
            }
        )

    @property
    def steps(self) -> int:
        """The steps seen; all of them after `end`."""
        return 0 if self.observer is None else self.observer.steps

    @property
    def lost(self) -> str:
        """Why observing stopped before the program's end; empty where it didn't.

        A disk that is full is no such reason: `writer.lost` says that.
        """
        return "" if self.observer is None else self.observer.lost

    @property
    def trains_in_children(self) -> bool:
        """Whether only processes train that were forked from the one that is observed."""
        trains_here = self.observer is not None and self.observer.recording.steps_taken
        return self.writer.trains_in_a_child and not trains_here

    @property
    def ended_as_asked(self) -> bool:
        """Whether the program was ended after the step that was asked for."""
        return self.observer is not None and self.observer.recording.ended_as_asked

    @property
    def passes(self) -> tuple[dict[type, int], int]:
        """Forward passes with gradients on, by class of the model; and backward passes."""
        return ({}, 0) if self.observer is None else self.observer.passes

    @property
    def forked(self) -> bool:
        """Whether this is a child of the process that is observed."""
        return os.getpid() != self._process

    def begin(self) -> None:
        """Wait for the import of torch, or observe at once where it is imported already."""
        self._imports.install()

    def end(self, complete: bool) -> None:
        """Write the ledger's last record; `complete`: the program came to its end by itself."""
        self._ended = True
        self._imports.remove()
        self._patches.close()
        if self.observer is not None and not self.forked:
            if self.trains_in_children:
                self.observer.lose(IN_CHILDREN)
            self.observer.finish(complete=complete)

    def _observe(self) -> None:
        from reference.observe.observer import Observer

        asked: dict[str, Any] = {"inside": self._inside, "until": self._until}
        self.observer = Observer(self.writer, uncalled=True, **asked).start()

    def _take_scores(self) -> None:
        """What `evaluate` computes are an evaluation's scores."""
        self._patches.enter_context(scores_taken(self._add_scores))

    def _watch_safetensors(self) -> None:
        if self.observer is not None and not self._ended:
            self.observer.saved_weights.watch_safetensors()

    def _add_scores(self, scores: dict[str, float]) -> None:
        if self.observer is not None and not self._ended:
            self.observer.add_scores(scores)


def header_of_program(program: Record, launch: Launch) -> Record:
    """What identifies the run. To be called when the first record is written, and not before.

    The program may set the number of threads, and to ask for a GPU's name would claim the GPU.

    Args:
        program: as `program_record` makes it.
        launch: which process of a launch this one is.
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
