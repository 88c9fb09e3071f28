"""Weights that two runs have written: of each file what it holds at the end.

By the file's name, since two runs have folders of their own; those whose names only one run has go
by their order, where both have as many.
"""

from collections import Counter
from collections.abc import Iterator, Sequence

from reference.diff.evidence import OtherAtEnd
from reference.diff.notes import FilesOfOneEnd, Note
from reference.ledger.record import Record


def saved_ends(left: Record, right: Record) -> OtherAtEnd | None:
    """The first file that holds other weights; None where none does.

    Args:
        left: The first run's end.
        right: The second run's.
    """
    return next((unequal for pair in _pairs(left, right)[0] for unequal in _unequal(*pair)), None)


def notes_of_saved(left: Record, right: Record) -> Iterator[Note]:
    """Files that only one run has, or that couldn't be read."""
    _, over = _pairs(left, right)
    for side, files in enumerate(over):
        if files:
            yield FilesOfOneEnd(side, len(files), str(files[0]["name"]), "")
    for side, end in enumerate((left, right)):
        unread = [f for f in end.get("saved", ()) if "unseen" in f]
        if unread:
            unseen = str(unread[0]["unseen"])
            yield FilesOfOneEnd(side, len(unread), str(unread[0]["name"]), unseen)


Files = list[Record]


def _pairs(left: Record, right: Record) -> tuple[list[tuple[Record, Record]], tuple[Files, Files]]:
    """Which of the one run's files is which of the other's, and those that are left over."""
    if not all("saved" in end for end in (left, right)):
        return [], ([], [])  # an older ledger
    sides = [_by_name(end["saved"]) for end in (left, right)]
    pairs: list[tuple[Record, Record]] = []
    over: tuple[Files, Files] = ([], [])
    for name in dict.fromkeys((*sides[0], *sides[1])):
        ours, theirs = (side.get(name, []) for side in sides)
        if len(ours) == len(theirs):
            pairs += zip(ours, theirs, strict=True)
        else:
            over[0].extend(ours)
            over[1].extend(theirs)
    if len(over[0]) == len(over[1]):
        return [*pairs, *zip(*over, strict=True)], ([], [])
    return pairs, over


def _by_name(files: Sequence[Record]) -> dict[str, Files]:
    named: dict[str, Files] = {}
    for file in files:
        named.setdefault(str(file["name"]), []).append(file)
    return named


def _unequal(left: Record, right: Record) -> Iterator[OtherAtEnd]:
    ours, theirs = left["tensors"], right["tensors"]
    if "unseen" in left or "unseen" in right or Counter(ours.values()) == Counter(theirs.values()):
        return  # a model, or its weights alone, or those within a checkpoint
    names = list(dict.fromkeys((*ours, *theirs)))
    other = [name for name in names if ours.get(name) != theirs.get(name)]
    if other:
        forms = _form(ours.get(other[0])), _form(theirs.get(other[0]))
        model = f"what is saved as {left['name']}" if left["name"] else "what is saved in memory"
        yield OtherAtEnd(model, len(other), len(names), other[0], forms, False)


def _form(value: str | None) -> str:
    return "none" if value is None else value.partition(" ")[2]
