"""A checkpoint's manifest: its files by name, size and SHA-256, and what run they are of.

It is written last, so that a folder without one was never finished. A file is looked at, then read
once, and what is parsed is the bytes that were hashed.
"""

import hashlib
import json
import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reference.errors import RunError

MANIFEST = "manifest.json"
VERSION = 1
LARGEST_MANIFEST = 1 << 20  # bytes: one of ours has some thousand
LARGEST_FILE = 1 << 36  # bytes: a model of 16 billion float32 values
MOST_FILES = 64
NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}", re.ASCII)  # never a path, never hidden

Record = dict[str, Any]


class Damaged(RunError):
    """A checkpoint isn't what was saved: names the file, and what was expected and found."""

    exit_code = 4


class Unusable(RunError):
    """There is no checkpoint to go on from: names why, and what to do."""

    exit_code = 4


@dataclass(frozen=True)
class Manifest:
    """What a checkpoint says of itself.

    Attributes:
        step: how many optimizer steps its run had taken.
        files: size and SHA-256 of each file, by its name.
        run: what identifies the run: recipe, data, versions, machine.
        beside: what whoever keeps the run's ledger needs to go on with it.
    """

    step: int
    files: dict[str, tuple[int, str]]
    run: Record
    beside: Record

    def encode(self) -> bytes:
        """As its file has it, sealed by a hash of its own."""
        record = {
            "version": VERSION,
            "step": self.step,
            "files": {name: list(known) for name, known in self.files.items()},
            "run": self.run,
            "beside": self.beside,
        }
        return _line({**record, "seal": hashlib.sha256(_line(record)).hexdigest()})


def describe(content: bytes) -> tuple[int, str]:
    """Size and SHA-256 of a file's content, as a manifest lists them."""
    return len(content), hashlib.sha256(content).hexdigest()


def read_manifest(folder: Path) -> Manifest:
    """A checkpoint's manifest; its files aren't looked at.

    Args:
        folder: The checkpoint's.

    Returns:
        What it says; each file's name is a plain one, each size bounded.

    Raises:
        Damaged: There is none, it isn't as it was written, or it isn't of this version.
    """
    path = folder / MANIFEST
    if folder.is_symlink() or not folder.is_dir():
        raise Damaged(f"{folder}: is no folder; a checkpoint is one, and no link to one")
    content = read_regular(path, LARGEST_MANIFEST)
    try:
        record = json.loads(content)
        files = {name: (size, digest) for name, (size, digest) in record["files"].items()}
        manifest = Manifest(record["step"], files, record["run"], record["beside"])
        whole = record["version"] == VERSION and manifest.encode() == content
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        whole = False
    if not whole:
        raise Damaged(f"{path}: field seal: doesn't hold; damaged, or not of version {VERSION}")
    if type(manifest.step) is not int or manifest.step < 1 or len(files) > MOST_FILES:
        raise Damaged(f"{path}: field step: no step of a run, or more files than one has")
    for name, (size, digest) in files.items():
        if not NAME.fullmatch(name) or name == MANIFEST:
            raise Damaged(f"{path}: field files: {name[:80]!r} is no plain name of a file")
        if type(size) is not int or not 0 <= size <= LARGEST_FILE or type(digest) is not str:
            raise Damaged(f"{path}: field files.{name}: a size of {LARGEST_FILE:,} bytes at most")
    return manifest


def check_names(folder: Path, manifest: Manifest) -> None:
    """Raise Damaged where a checkpoint's folder holds other files than its manifest lists.

    A library might read one that nobody vouches for.
    """
    there = {entry.name for entry in os.scandir(folder)} - {MANIFEST}
    for name in sorted(manifest.files.keys() - there):
        raise Damaged(f"{folder / name}: is missing, and {MANIFEST} lists it")
    for name in sorted(there - manifest.files.keys()):
        raise Damaged(f"{folder / name}: isn't in {MANIFEST}, which lists every file")


def read_file(folder: Path, name: str, manifest: Manifest) -> bytes:
    """A checkpoint's file, held against its manifest.

    Raises:
        Damaged: It is no regular file, or of another size or hash; names both.
    """
    if name not in manifest.files:
        raise Damaged(f"{folder / MANIFEST}: field files.{name}: missing; a checkpoint has it")
    size, digest = manifest.files[name]
    content = read_regular(folder / name, size, exactly=True)
    found = hashlib.sha256(content).hexdigest()
    if found != digest:
        raise Damaged(f"{folder / name}: SHA-256 {digest} expected, {found} found; damaged")
    return content


def check_file(folder: Path, name: str, manifest: Manifest) -> None:
    """As `read_file`, for a file that a library reads: in pieces, and nothing is kept of it."""
    size, digest = manifest.files[name]
    with os.fdopen(_opened(folder / name, size, exactly=True), "rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != digest:
        raise Damaged(f"{folder / name}: SHA-256 {digest} expected, {found} found; damaged")


def read_regular(path: Path, most: int, *, exactly: bool = False) -> bytes:
    """All bytes of a regular file that is no link, of which there are so many at most.

    Raises:
        Damaged: It is something else, of another size, or not there; it isn't read then.
    """
    with os.fdopen(_opened(path, most, exactly=exactly), "rb") as file:
        return file.read(most + 1)


def _opened(path: Path, most: int, *, exactly: bool) -> int:
    try:
        # A FIFO without a writer would wait for ever; a link may lead anywhere.
        opened = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        said = "is missing" if isinstance(error, FileNotFoundError) else "is a link, or unreadable"
        raise Damaged(f"{path}: {said} ({error.strerror})") from None
    found = os.fstat(opened)
    wrong = ""
    if not stat.S_ISREG(found.st_mode):
        wrong = "is no regular file"
    elif exactly and found.st_size != most:
        wrong = f"{most:,} bytes expected, {found.st_size:,} found; damaged"
    elif found.st_size > most:
        wrong = f"larger than the {most:,} bytes that it may have"
    if wrong:
        os.close(opened)
        raise Damaged(f"{path}: {wrong}")
    return opened


def _line(record: Mapping[str, Any]) -> bytes:
    return json.dumps(record, separators=(",", ":"), allow_nan=False).encode() + b"\n"
