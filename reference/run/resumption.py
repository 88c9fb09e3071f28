"""Checkpoints of a run, and one that goes on from a checkpoint: in the same folder and ledger.

python -m reference train manual --run-dir mine --checkpoint-every 100
python -m reference train manual --run-dir mine --checkpoint-every 100 --resume
"""

import sys
from collections.abc import Collection, Iterator
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path
from typing import Any

from reference.errors import InputError
from reference.ledger.continuation import Continuation, check_position, cut_ledger
from reference.ledger.record import LEDGER_FILE, Record, Sink, Writer
from reference.lesson.saving.checkpoint_folder import (
    CHECKPOINTS,
    check_whole,
    checkpoints_in,
    clear_parts,
    newest,
    step_of,
)
from reference.lesson.saving.keeping import Keeping
from reference.lesson.saving.manifest import Damaged, Manifest
from reference.messages import brief
from reference.observe.observer import Observer
from reference.process.folder_lock import locked
from reference.run.saving import NEWEST, Saving

FINISHED = "metrics.json"  # in a run's folder, from its end on


class Begun:
    """What a run is recorded by from here on; `close` lets go of its ledger and folder.

    Attributes:
        observer: Writes the ledger; it isn't started.
        keeping: How the loop keeps checkpoints; None where none were asked for.
    """

    def __init__(self, observer: Observer, keeping: Keeping | None, held: ExitStack) -> None:
        self.observer, self.keeping = observer, keeping
        self._held = held

    def close(self) -> None:
        """Close the ledger, and let others have the folder."""
        self._held.close()


def begin(
    saving: Saving | None,
    run_dir: Path,
    ledger_file: str,
    run: Record,
    inside: Collection[int],
    until: int | None,
) -> Begun:
    """Begin a run's ledger, or go on with it from a checkpoint.

    Args:
        saving: What was asked for; None for no checkpoints.
        run_dir: The run's folder.
        ledger_file: The name of its ledger.
        run: What identifies the run.
        inside: The steps of which the ledger also gets the calls within the model.
        until: The step after which the run ends.

    Raises:
        InputError: Another process trains there, or the run to resume is another one, or over.
        Damaged: The checkpoint that was named isn't whole.
        Unusable: No checkpoint is.
    """
    ledger = run_dir / ledger_file

    def observer_of(sink: Sink) -> Observer:
        return Observer(sink, stop_if_not_finite=True, inside=inside, until=until)

    with ExitStack() as held:
        if saving is None:
            writer = held.enter_context(closing(Writer(ledger, run)))
            return Begun(observer_of(writer), None, held.pop_all())
        held.enter_context(locked(run_dir))
        keeping = Keeping(run_dir / CHECKPOINTS, run, every=saving.every, keep=saving.keep)
        if saving.resume is None:
            writer = held.enter_context(closing(Writer(ledger, run)))
            observer = observer_of(writer)
        else:
            keeping.resume, manifest = find(saving.resume, run_dir, run)
            earlier = cut_ledger(ledger, manifest.beside["ledger"]["bytes"])
            writer = held.enter_context(closing(Writer.go_on(ledger)))
            observer = observer_of(Continuation(writer, earlier))
            observer.begin_after(earlier, manifest.beside["drawn"], manifest.beside["seconds"])
        keeping.beside = partial(_beside, writer, observer)
        return Begun(observer, keeping, held.pop_all())


def _beside(writer: Writer, observer: Observer) -> Record:
    """Where the ledger stands, which is whole up to there; for a checkpoint's manifest."""
    observer.write_so_far()
    size, seal = writer.position()
    return {
        "ledger": {"bytes": size, "seal": seal, "steps": observer.steps},
        "drawn": observer.recording.drawn,
        "seconds": observer.seconds,
    }


def find(which: str, run_dir: Path, run: Record) -> tuple[Path, Manifest]:
    """The checkpoint to go on from, seen to be whole, and of this run and its ledger.

    Args:
        which: `newest`, or its folder.
        run_dir: The run's folder, whose lock is held.
        run: What identifies the run that is asked for.
    """
    if (run_dir / FINISHED).exists():
        raise InputError(f"{run_dir}: this run has come to its end; there is nothing to resume")
    folder = run_dir / CHECKPOINTS

    def accept(manifest: Manifest) -> None:
        check_same(manifest.run, run, run_dir)
        try:
            position = manifest.beside["ledger"]
            if position["steps"] != manifest.step:  # recording had ended before
                raise Damaged(f"its ledger has {position['steps']} steps of {manifest.step}")
            check_position(run_dir / LEDGER_FILE, position["bytes"], position["seal"])
        except (InputError, OSError) as error:
            raise Damaged(f"{error}") from None
        except (KeyError, TypeError) as error:
            raise Damaged(f"field beside.ledger: {error}; not as it was saved") from None

    clear_parts(folder)
    if which == NEWEST:
        return newest(folder, accept, lambda words: print(words, file=sys.stderr))
    found = Path(which)
    if found.resolve().parent != folder.resolve() or not step_of(found):
        known = ", ".join(each.name for each in checkpoints_in(folder)) or "none"
        raise InputError(
            f"--resume: {brief(which)} is no checkpoint of {run_dir}, which has {known}"
        )
    return found, check_whole(found, accept)


def check_same(saved: Record, asked: Record, run_dir: Path) -> None:
    """Raise InputError where the run that was saved is another one; names each field.

    Args:
        saved: What identifies it, by a checkpoint.
        asked: What identifies the run that is to go on.
        run_dir: The run's folder.
    """
    both = dict(_flat(saved)), dict(_flat(asked))
    unequal = [
        f"{name} was {_shown(name, both[0])}, is {_shown(name, both[1])}"
        for name in sorted(both[0].keys() | both[1].keys())
        if both[0].get(name, ...) != both[1].get(name, ...)
    ]
    if unequal:
        raise InputError(
            f"{run_dir}: another run than the one that is asked for: {'; '.join(unequal)}; resume "
            "with what it was begun with"
        )


def _flat(record: Record, prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in record.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _shown(name: str, fields: Record) -> str:
    return brief(fields[name]) if name in fields else "absent"
