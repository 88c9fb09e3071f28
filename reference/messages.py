"""Words for people: one line on stderr, and text made fit for a line."""

import sys


def plain(text: str) -> str:
    """A ledger's text as it can be shown: what would steer a terminal is written as its code.

    So are line ends, marks that turn the direction of writing, and halves of a character.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def say(line: str) -> None:
    """One line on stderr: stdout is the program's own."""
    print(f"reference: {line}", file=sys.stderr)
