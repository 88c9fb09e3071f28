"""Checkpoints of a run, and one that goes on from a checkpoint: in the same folder and ledger.

    python -m reference train manual --run-dir mine --checkpoint-every 100
    python -m reference train manual --run-dir mine --checkpoint-every 100 --resume
"""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reference.errors import InputError
from reference.ledger.continuation import Continuation, Earlier, check_position, cut_ledger
from reference.ledger.record import LEDGER_FILE, Record, Writer
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

FINISHED = "metrics.json"  # in a run's folder, from its end on
NEWEST = "newest"


@dataclass(frozen=True)
class Saving:
    """What the command line says of checkpoints.

    Attributes:
        every: After how many steps one is saved.
        keep: How many stay; None for all.
        resume: `newest`, or a checkpoint's folder.
    """

    every: int | None = None
    keep: int | None = None
    resume: str | None = None


@dataclass
class Resumed:
    """A checkpoint that a run goes on from.

    Attributes:
        folder: The checkpoint's.
        beside: What was kept beside it.
        earlier: What the ledger has up to there.
        writer: Appends to the ledger, which was cut.
    """

    folder: Path
    beside: Record
    earlier: Earlier
    writer: Continuation

    def tell(self, observer: Observer) -> None:
        """Have an observer that wasn't started count on from there."""
        observer.begin_after(self.earlier, self.beside["drawn"], self.beside["seconds"])


def keeping_of(
    saving: Saving, run_dir: Path, run: Record, writer: Writer, observer: Observer
) -> Keeping:
    """How the loop is to keep checkpoints.

    Args:
        saving: What was asked for.
        run_dir: The run's folder.
        run: What identifies the run.
        writer: Of its ledger.
        observer: Who writes there.
    """

    def beside() -> Record:
        observer.write_so_far()
        size, seal = writer.position()
        return {
            "ledger": {"bytes": size, "seal": seal},
            "drawn": observer.recording.drawn,
            "seconds": observer.seconds,
        }

    folder = run_dir / CHECKPOINTS
    return Keeping(folder, run, every=saving.every, keep=saving.keep, beside=beside)


def resume(saving: Saving, run_dir: Path, run: Record) -> tuple[Resumed, Writer]:
    """Find the checkpoint to go on from, and cut the run's ledger to where that was saved.

    Nothing is changed before all is seen to be in order.

    Args:
        saving: Which one.
        run_dir: The run's folder, whose lock is held.
        run: What identifies the run that is asked for.

    Raises:
        InputError: The run is another one, or has come to its end.
        Damaged: The checkpoint that was named isn't whole.
        Unusable: No checkpoint is.
    """
    if (run_dir / FINISHED).exists():
        raise InputError(f"{run_dir}: this run has come to its end; there is nothing to resume")
    ledger, folder = run_dir / LEDGER_FILE, run_dir / CHECKPOINTS

    def accept(manifest: Manifest) -> None:
        check_same(manifest.run, run, run_dir)
        try:
            position = manifest.beside["ledger"]
            check_position(ledger, position["bytes"], position["seal"])
        except (InputError, OSError) as error:
            raise Damaged(f"{error}") from None
        except (KeyError, TypeError) as error:
            raise Damaged(f"field beside.ledger: {error}; not as it was saved") from None

    clear_parts(folder)
    if saving.resume == NEWEST:
        found, manifest = newest(folder, accept, lambda words: print(words, file=sys.stderr))
    else:
        found = Path(str(saving.resume))
        if found.resolve().parent != folder.resolve() or not step_of(found):
            known = ", ".join(each.name for each in checkpoints_in(folder)) or "none"
            raise InputError(
                f"--resume: {brief(str(found))} is no checkpoint of {run_dir}, which has {known}"
            )
        manifest = check_whole(found, accept)
    size = manifest.beside["ledger"]["bytes"]
    earlier = cut_ledger(ledger, size)
    writer = Writer.go_on(ledger)
    return Resumed(found, manifest.beside, earlier, Continuation(writer, earlier)), writer


def check_same(saved: Record, asked: Record, run_dir: Path) -> None:
    """Raise InputError where the run that was saved is another one; names each field.

    Args:
        saved: What identifies it, by a checkpoint.
        asked: What identifies the run that is to go on.
        run_dir: The run's folder.
    """
    both = dict(_flat(saved)), dict(_flat(asked))
    unequal = [
        f"{name} was {brief(str(both[0].get(name, 'absent')))}, is "
        f"{brief(str(both[1].get(name, 'absent')))}"
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
