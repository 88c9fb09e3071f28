"""Words for people: one line on stderr, text made fit for a line, and the nearest right word."""

import difflib
import sys
from collections.abc import Iterable

from reference.errors import InputError

# Of difflib's ratio, 0 to 1. Two swapped letters of four, or a wrong one, give 0.75. At 0.5 the
# guesses were far off: `--jobs` for `--json`, and a cpu for whoever asked for a gpu.
NEAR = 0.7
PREFIX = 3  # letters that begin a name, and so mean it: `adamw` for `adamw_torch`


def plain(text: str) -> str:
    """A ledger's text as it can be shown: what would steer a terminal is written as its code.

    So are line ends, marks that turn the direction of writing, and halves of a character.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def first_line(text: str) -> str:
    """The first line of what a library or a process said, or words for its having said nothing."""
    return _lines(text)[0]


def last_line(text: str) -> str:
    """The last line of what a library or a process said, or words for its having said nothing."""
    return _lines(text)[-1]


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.strip().splitlines()] or ["it gave no reason"]


def say(line: str) -> None:
    """One line on stderr: stdout is the program's own."""
    print(f"reference: {line}", file=sys.stderr)


def near(word: str, known: Iterable[str]) -> str:
    """` (did you mean X?)` for the known word that is nearest, or nothing where none is near."""
    bare = {name.lstrip("-"): name for name in known}
    word = word.lstrip("-")
    close = difflib.get_close_matches(word, bare, n=1, cutoff=NEAR)
    if not close and len(word) >= PREFIX:
        close = sorted((name for name in bare if name.startswith(word)), key=len)
    return f" (did you mean {bare[close[0]]}?)" if close else ""


def nearest(what: str, word: str, known: Iterable[str]) -> InputError:
    """The error for an unknown name: the nearest one if any is near, and then all known ones."""
    known = list(known)
    return InputError(f"unknown {what} {word!r}{near(word, known)}; known: {', '.join(known)}")
