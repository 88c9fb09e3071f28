"""The command that makes a ledger's run again, by its header."""

import hashlib
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reference.errors import InputError
from reference.ledger.record import Record
from reference.messages import plain
from reference.process.bounded_files import check_name, read_bounded
from reference.process.whole_files import write_json

LARGEST = 1 << 26  # bytes of a script


@dataclass(frozen=True)
class Again:
    """A run to be made once more: the words after `python -m reference`, and where."""

    words: tuple[str, ...]
    folder: Path

    def __str__(self) -> str:
        folder, words = shlex.quote(str(self.folder)), shlex.join(self.words)
        return plain(f"cd {folder} && python -m reference {words}")


def command_of(ledger: Path, header: Record, step: int, work: Path) -> Again:
    """The command for a run up to a step, and with the calls inside it.

    Args:
        ledger: the file, for messages.
        header: of it.
        step: the last one that is run.
        work: a new folder for the run and what it needs.

    Raises:
        InputError: the header doesn't hold what is needed, or the script isn't what it was.
    """
    asked = ("--inside", str(step), "--until", str(step), "--run-dir", str(work / "run"))
    if header.get("world_size", 1) != 1:
        raise _by_hand(ledger, step, "is of one of several processes")
    program = header.get("program")
    if isinstance(program, dict):
        if not isinstance(program.get("cwd"), str):
            raise _by_hand(ledger, step, "doesn't say how its script was run")
        return _of_script(ledger, program, step, asked)
    if isinstance(header.get("recipe"), dict) and isinstance(header.get("loop"), str):
        recipe = work / "recipe.json"
        write_json(recipe, header["recipe"])
        words = ("train", header["loop"], "--recipe", str(recipe), *asked)
        return Again(words, Path.cwd())
    raise _by_hand(ledger, step, "names neither a script nor a recipe")


def _of_script(ledger: Path, program: dict[str, Any], step: int, asked: tuple[str, ...]) -> Again:
    name, arguments = program.get("script"), program.get("argv")
    if type(name) is not str or type(arguments) is not list:
        raise _by_hand(ledger, step, "doesn't say how its script was run")
    if any(type(each) is not str for each in arguments):
        raise _by_hand(ledger, step, "doesn't say how its script was run")
    for each in (program["cwd"], name):
        check_name(each)
    folder = Path(program["cwd"])
    if not folder.is_dir():
        raise _by_hand(ledger, step, f"was kept in {plain(str(folder))}, which is gone")
    if program.get("module") is True:
        return Again(("observe", *asked, "-m", name, *arguments), folder)
    try:
        source = read_bounded(folder / name, LARGEST)
    except OSError as error:
        what = f"{plain(str(folder / name))} can't be read ({error.strerror})"
        raise _by_hand(ledger, step, f"can't be made again: {what}") from None
    if hashlib.sha256(source).hexdigest() != program.get("sha256"):
        what = f"{plain(name)} has changed since"
        raise _by_hand(ledger, step, f"can't be made again: {what}")
    return Again(("observe", *asked, "--", name, *arguments), folder)


def _by_hand(ledger: Path, step: int, why: str) -> InputError:
    """The error for a ledger whose run can't be made again here, and what to do instead."""
    return InputError(
        f"{ledger}: {why}; run both yourself as before, with observe --inside {step} (train has "
        "it, too; observing(..., inside=...)), and give diff the new ledgers"
    )
