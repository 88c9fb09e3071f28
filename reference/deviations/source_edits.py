"""Edits of a program's text: small, anchored on a piece that stands in it once.

Every anchor is looked up in the text as it was before any edit, so that edits don't depend on
each other's order; two that want the same piece are a conflict, and never a guess.
"""

import ast
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

VALUE = "VALUE"  # stands in an edit's text for the deviation's value
STEP = "    "


class Conflict(ValueError):
    """Two deviations want the same piece of the text, or a piece isn't there once."""


@dataclass(frozen=True)
class Edit:
    """One change; made by the functions below. `depth` is in levels of indentation."""

    kind: str
    anchor: str
    text: str = ""
    depth: int = 0


def replace(anchor: str, text: str) -> Edit:
    """The anchor gives way to the text."""
    return Edit("replace", anchor, text)


def delete(anchor: str) -> Edit:
    """The whole lines that hold the anchor go."""
    return Edit("delete", anchor)


def before(anchor: str, text: str, depth: int = 0) -> Edit:
    """New lines before the anchor's line, indented as it is, and `depth` levels more."""
    return Edit("before", anchor, text, depth)


def after(anchor: str, text: str, depth: int = 0) -> Edit:
    """New lines after the anchor's last line, indented as its first, and `depth` levels more."""
    return Edit("after", anchor, text, depth)


def imports(line: str) -> Edit:
    """An import, once however many deviations need it."""
    if line.startswith("from reference"):
        return Edit("after", "from reference.lesson.recipe import Recipe", line)
    return Edit("before", "import torch", line)


@dataclass(frozen=True)
class _Change:
    """`text[start:end]` becomes `new`; at one place, lower `rank` first."""

    start: int
    end: int
    new: str
    rank: int
    owner: str


def apply(text: str, edits: Iterable[tuple[str, Edit, Any]]) -> str:
    """The text with all edits, each given with its owner's name and value. Raises Conflict."""
    changes: list[_Change] = []
    for owner, edit, value in edits:
        change = _change(text, owner, edit, value)
        if not (change.new.lstrip().startswith(("import ", "from ")) and _has(changes, change)):
            changes.append(change)
    changes.sort(key=lambda c: (c.start, c.rank))  # stable: equal ones as they were given
    _check(changes)
    done, pieces = 0, []
    for change in changes:
        pieces += [text[done : change.start], change.new]
        done = change.end
    return "".join([*pieces, text[done:]])


def _has(changes: list[_Change], one: _Change) -> bool:
    return any((c.start, c.new) == (one.start, one.new) for c in changes)


def _change(text: str, owner: str, edit: Edit, value: Any) -> _Change:
    count = text.count(edit.anchor)
    if count != 1:
        raise Conflict(f"{owner}: {edit.anchor!r} stands {count} times in the text, not once")
    new = edit.text.replace(VALUE, literal(value)) if VALUE in edit.text else edit.text
    start = text.index(edit.anchor)
    end = start + len(edit.anchor)
    if edit.kind == "replace":
        return _Change(start, end, new, 2, owner)
    first = text.rfind("\n", 0, start) + 1
    last = text.index("\n", end - 1) + 1
    if edit.kind == "delete":
        return _Change(first, last, "", 2, owner)
    line = text[first:last]
    indent = line[: len(line) - len(line.lstrip())]
    indent = indent + STEP * edit.depth if edit.depth >= 0 else indent[: len(STEP) * edit.depth]
    new = "".join(f"{indent}{one}\n" for one in new.splitlines())
    place, rank = (first, 1) if edit.kind == "before" else (last, 0)
    return _Change(place, place, new, rank, owner)


def literal(value: Any) -> str:
    """The value as Python text. A ledger is a stranger's file: plain values only, never code."""
    text = repr(value)
    try:
        plain = ast.literal_eval(text) == value
    except (ValueError, SyntaxError):
        plain = False
    if not plain:
        raise ValueError(f"{text} is no plain value, and isn't written into a program")
    return text


def _check(changes: list[_Change]) -> None:
    """Raise Conflict where two overlap; side by side they may stand."""
    taken: _Change | None = None
    for change in changes:
        if taken is not None and change.start < taken.end:
            raise Conflict(f"{taken.owner} and {change.owner} change the same line of the loop")
        if change.end > change.start:
            taken = change
