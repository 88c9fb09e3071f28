"""What a divergence most likely comes from: the sentence that stands under the verdict."""

from dataclasses import dataclass

from reference.diff.sides import FIRST, SECOND, Sides
from reference.diff.value_text import short
from reference.messages import plain


@dataclass(frozen=True)
class LikelyCause:
    """A cause, as far as two ledgers tell.

    Attributes:
        kind: A word for programs; docs/diff-and-explain.md lists them.
        words: What is different, with both values, and marks for the runs.
        advice: What to look at, or to change; nothing where the words say it.
    """

    kind: str
    words: str
    advice: str = ""

    def text(self, sides: Sides) -> str:
        """The words, by the names that the two runs have here."""
        return sides.put_into(self.words)

    def advice_text(self, sides: Sides) -> str:
        """What to do, by these names."""
        return sides.put_into(self.advice)


def in_both(left: object, right: object) -> str:
    """Both values with their runs, as in '0.1 in A and 0.2 in B'."""
    first, second = short(left), short(right)
    if first == second:  # other bits, or another type, that read alike
        first, second = plain(repr(left)), plain(repr(right))
    return f"{first} in {FIRST} and {second} in {SECOND}"


def some(names: list[str], most: int = 3) -> str:
    """A few names of many, as in 'a, b and 3 more'; one more is named, too."""
    most = len(names) if len(names) == most + 1 else most
    shown = ", ".join(map(plain, names[:most]))
    return f"{shown} and {len(names) - most} more" if len(names) > most else shown
