"""Words for people: one line on stderr, and text made fit for a line."""

import sys


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
