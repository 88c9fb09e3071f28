"""The folder of a run's checkpoints: each written whole or not at all, the newest whole one found.

A checkpoint is `step-00000100/`. It is written beside, as `.step-...`, each file synced, and takes
its name when its manifest is there: who is killed leaves the ones before as they were.
"""

import os
import re
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

from reference.lesson.saving.manifest import (
    MANIFEST,
    Damaged,
    Manifest,
    Unusable,
    check_file,
    check_names,
    read_manifest,
)

CHECKPOINTS = "checkpoints"  # in a run's folder
# As ours are called, and as the stock Trainer calls its own.
STEP = re.compile(r"(?:step|checkpoint)-([0-9]{1,12})", re.ASCII)
PART = ".step-"


def name_of(step: int) -> str:
    """The folder of a checkpoint after so many steps."""
    return f"step-{step:08}"


def step_of(folder: Path) -> int:
    """After how many steps a checkpoint was saved, by its name; 0 where that is another."""
    named = STEP.fullmatch(folder.name)
    return int(named[1]) if named else 0


def write_checkpoint(
    folder: Path, manifest: Manifest, files: Mapping[str, bytes], keep: int | None
) -> Path:
    """Write a checkpoint, and take away the oldest ones beyond `keep`.

    Args:
        folder: Of all checkpoints of the run.
        manifest: What is said of it.
        files: The content of each, by its name.
        keep: How many stay, with this one; None for all.

    Returns:
        The checkpoint's folder.

    Raises:
        OSError: The disk takes no more; what was there before is whole.
    """
    folder.mkdir(exist_ok=True)
    part = folder / f"{PART}{manifest.step:08}"
    final = folder / name_of(manifest.step)
    shutil.rmtree(part, ignore_errors=True)  # of a process that was killed
    try:
        part.mkdir()
        for name, content in (*files.items(), (MANIFEST, manifest.encode())):
            write_synced(part / name, content)
        sync_folder(part)
        if final.exists():  # of a run that went on from an older one
            shutil.rmtree(final)
        part.rename(final)
    except OSError:
        shutil.rmtree(part, ignore_errors=True)
        raise
    sync_folder(folder)
    older = [each for each in checkpoints_in(folder) if step_of(each) < manifest.step]
    for each in [] if keep is None else older[keep - 1 :]:
        hidden = folder / f".{each.name}"  # half of a checkpoint never has a checkpoint's name
        each.rename(hidden)
        shutil.rmtree(hidden)
    return final


def clear_parts(folder: Path) -> None:
    """Take away what a process left that was killed while it wrote or took away a checkpoint."""
    for each in folder.glob(".step-*"):
        shutil.rmtree(each, ignore_errors=True)


def checkpoints_in(folder: Path) -> list[Path]:
    """The checkpoints of a run, whole or not, the newest first."""
    found = [each for each in folder.glob("*-*") if step_of(each)] if folder.is_dir() else []
    return sorted(found, key=step_of, reverse=True)


def check_whole(folder: Path, accept: Callable[[Manifest], None]) -> Manifest:
    """A checkpoint's manifest, each file held against it.

    Args:
        folder: The checkpoint's.
        accept: Raises Damaged for what can't be gone on from for another reason.

    Raises:
        Damaged: Names the file, and what was expected and found.
    """
    manifest = read_manifest(folder)
    if manifest.step != step_of(folder):
        raise Damaged(f"{folder}: its {MANIFEST} says step {manifest.step}; it was renamed")
    check_names(folder, manifest)
    for name in manifest.files:
        check_file(folder, name, manifest)
    accept(manifest)
    return manifest


def newest(
    folder: Path, accept: Callable[[Manifest], None], say: Callable[[str], None]
) -> tuple[Path, Manifest]:
    """The newest checkpoint that is whole; one that isn't is named, and passed over.

    Args:
        folder: Of all checkpoints of the run.
        accept: As of `check_whole`.
        say: Is told of each that is passed over.

    Raises:
        Unusable: None is; says what is wrong with the last one that was looked at.
    """
    last = "no checkpoint there"
    for each in checkpoints_in(folder):
        try:
            return each, check_whole(each, accept)
        except Damaged as error:
            last = str(error)
            say(f"passed over {each.name}: {error}")
    raise Unusable(f"{folder}: none to resume from: {last}; train again, into a new --run-dir")


def write_synced(path: Path, content: bytes) -> None:
    """A new file, on the disk when this returns."""
    with open(path, "xb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Make a folder's names last, as `fsync` of a file doesn't."""
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
