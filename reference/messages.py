"""Words for people: a line on stderr, text made fit for a line, the nearest word, and colour.

And for programs: a value as one line of JSON.
"""

import difflib
import html
import json
import math
import os
import reprlib
import sys
import textwrap
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, TextIO

from reference.errors import InputError

# Of difflib's ratio, 0 to 1. Two swapped letters of four, or a wrong one, give 0.75. At 0.5 the
# guesses were far off: `--jobs` for `--json`, and a cpu for whoever asked for a gpu.
NEAR = 0.7
MANY = 40  # names; the recipe has 24 fields
CUT = " ... "
PREFIX = 3  # letters that begin a name, and so mean it: `adamw` for `adamw_torch`

# What a line begins with, and the colour (an ANSI code) of these words on a terminal.
RED, GREEN, YELLOW = 31, 32, 33
COLOURS = {
    "reference: error:": RED,
    "identical": GREEN,
    "proven": GREEN,
    "diverged": RED,
    "incomparable": YELLOW,
    "not explained": YELLOW,
    "wrong:": RED,
    "likely:": YELLOW,
    "nothing found": GREEN,
    "unusual scores": YELLOW,
    "equivalent": GREEN,
    "not equivalent": RED,
    "not shown": YELLOW,
}
HTML_COLOURS = {RED: "firebrick", GREEN: "green", YELLOW: "darkgoldenrod"}


def reads_colour(stream: TextIO) -> bool:
    """Whether a stream is a terminal with colour, and nobody asked for none (no-color.org)."""
    asked_for_none = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    return stream.isatty() and not asked_for_none


def coloured(line: str, stream: TextIO) -> str:
    """A line as it is printed to the stream: a verdict or an error begins in its colour."""
    for words, code in COLOURS.items():
        if line.startswith(words) and reads_colour(stream):
            return f"\x1b[{code}m{words}\x1b[0m{line.removeprefix(words)}"
    return line


def as_html(lines: Iterable[str]) -> str:
    """Lines as a notebook shows them: as printed, and a verdict begins in its colour.

    What a ledger says in them is made fit for a line before (`plain`).
    """
    text = "\n".join(_coloured_html(html.escape(line)) for line in lines)
    return f'<pre style="white-space:pre-wrap">{text}</pre>'


def _coloured_html(line: str) -> str:
    for words, code in COLOURS.items():
        if line.startswith(words):
            bold = f'<b style="color:{HTML_COLOURS[code]}">{words}</b>'
            return f"{bold}{line.removeprefix(words)}"
    return line


def folded(line: str, width: int = 80) -> str:
    """A long line as several of this width, the later ones indented; words are left whole."""
    if len(line) <= width or "\n" in line:
        return line
    return textwrap.fill(
        line, width, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False
    )


def plain(text: str) -> str:
    """A ledger's text as it can be shown: what would steer a terminal is written as its code.

    So are line ends, marks that turn the direction of writing, and halves of a character.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


_SHORT = reprlib.Repr()
_SHORT.maxlevel, _SHORT.maxstring, _SHORT.maxother = 2, 60, 60


def brief(value: object) -> str:
    """A value as Python writes it, cut: of a damaged file it may be megabytes, or without end."""
    try:
        return _SHORT.repr(value)
    except ValueError:  # of so many digits that Python doesn't write them
        return "a number of thousands of digits"


def in_the_middle(text: str, most: int) -> str:
    """A text of so many letters at most, cut in its middle: it begins with where, ends with what
    to do."""
    if len(text) <= most:
        return text
    half = (most - len(CUT)) // 2
    return f"{text[:half]}{CUT}{text[-half:]}"


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
    with suppress(OSError):  # a full disk takes none, which is nothing to stop a training for
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
    """The error for an unknown name: the nearest one if any is near, and then all known ones.

    Of many known ones nobody reads the list where the nearest is named.
    """
    known = list(known)
    guess = near(word, known)
    listed = "" if guess and len(known) > MANY else f"; known: {', '.join(known)}"
    return InputError(f"unknown {what} {word!r}{guess}{listed}")


def json_object(value: dict[str, Any]) -> str:
    """A value as JSON, in a line; JSON has no number that isn't finite: it is written as a word."""
    return json.dumps(_with_finite(value), allow_nan=False)


def _with_finite(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, dict):
        return {name: _with_finite(each) for name, each in value.items()}
    return [_with_finite(each) for each in value] if isinstance(value, list | tuple) else value
