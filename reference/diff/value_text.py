"""Unequal values in a line of text: the field, both values, and how far apart they are."""

import re
import sys
from collections.abc import Mapping
from typing import Any

from reference.diff.sides import LEDGERS, Sides
from reference.diff.unequal import IN_NO_GROUP, Things, Unequal
from reference.messages import plain

HASH = re.compile("[0-9a-f]{16}|[0-9a-f]{32}")
LONGEST = 90  # characters of a value in a line


def unequal_text(unequal: Unequal, sides: Sides = LEDGERS) -> str:
    """An unequal field with both values, as in 'eps: 1e-08 and 1e-06 (100 times)'.

    Args:
        unequal: The field.
        sides: What the two runs are called, where its words name them.
    """
    if unequal.words:
        return f"{plain(field_text(unequal))}: {sides.put_into(unequal.words)}"
    if all(_is_hash(value) for value in (unequal.left, unequal.right)):
        return f"{plain(field_text(unequal))}: not the same"  # a hash tells a reader nothing
    values = both(unequal.left, unequal.right)
    is_factor = unequal.link == "clip" and unequal.field == "factor"
    what = "factor of all gradients" if is_factor else plain(field_text(unequal))
    return f"{what}: {values}{distance(unequal.left, unequal.right)}"


def field_text(unequal: Unequal) -> str:
    """What is unequal, as in 'pass 2, loss' or '3 of 41 tensors, first classifier.bias, norm'."""
    field, share = unequal.field, unequal.share
    if share is not None and share.things is not Things.PARAMETERS:
        text = f"{share.count} of {share.total} {share.things}, first {unequal.tensor}"
        text += ", norm" if field == "norm" else ""
    elif field == IN_NO_GROUP:
        text = f"{unequal.tensor} {field}{_share_text(unequal)}"
    else:
        text = field + _share_text(unequal, named=True)
    of_pass = f"pass {unequal.forward_pass}, " if unequal.forward_pass is not None else ""
    return of_pass + text


def _is_hash(value: Any) -> bool:
    return isinstance(value, str) and HASH.fullmatch(value) is not None


def _share_text(unequal: Unequal, *, named: bool = False) -> str:
    """As in ' (3 of 41 parameters, first classifier.bias)'; nothing where it is true of all."""
    if unequal.share is None:
        return ""
    first = f", first {unequal.tensor}" if named and unequal.tensor is not None else ""
    return f" ({unequal.share.count} of {unequal.share.total} {unequal.share.things}{first})"


def short(value: Any) -> str:
    """A value as it stands in a line of text."""
    text = f"{value:.9g}" if isinstance(value, float) else _whole(value)
    return text if len(text) <= LONGEST else text[: LONGEST - 3] + "..."


def _whole(value: Any) -> str:
    """All of it; a float with as many digits as tell it from every other."""
    return "absent" if value is None else plain(str(value))


def both(left: Any, right: Any) -> str:
    """Two unequal values in a line of text; never so short that they read alike."""
    pair = short(left), short(right)
    if pair[0] == pair[1]:
        pair = _around_first_difference(_whole(left), _whole(right))
        if pair[0] == pair[1]:  # 1 and True, 1 and 1.0, 'x' and a list that reads so
            pair = f"{pair[0]} ({type(left).__name__})", f"{pair[1]} ({type(right).__name__})"
    return f"{pair[0]} and {pair[1]}"


def _around_first_difference(left: str, right: str) -> tuple[str, str]:
    """The part of two long texts in which they first differ."""
    places = enumerate(zip(left, right, strict=False))
    start = max(0, next((i for i, (x, y) in places if x != y), 0) - LONGEST // 2)
    return _part(left, start), _part(right, start)


def _part(text: str, start: int) -> str:
    end = start + LONGEST
    return f"{'...' if start else ''}{text[start:end]}{'...' if end < len(text) else ''}"


def distance(left: Any, right: Any) -> str:
    """How far apart two numbers are, in words; nothing for what isn't two finite numbers."""
    if isinstance(left, bool) or isinstance(right, bool):
        return ""
    if not (isinstance(left, int | float) and isinstance(right, int | float)):
        return ""
    if not all(abs(value) <= sys.float_info.max for value in (left, right)):
        return ""  # not finite, or a whole number beyond them all
    if left and right and not 0.5 < abs(left / right) < 2:
        big, small = max(abs(left), abs(right)), min(abs(left), abs(right))
        return f" ({big / small:.4g} times)"
    return f" ({abs(left - right):.2g} apart)"


def distances_text(distances: Mapping[str, float]) -> str:
    """Several numbers in one line: each one's name, and how far apart."""
    return ", ".join(f"{name} {value:.2g}" for name, value in sorted(distances.items()))


def header_field_text(field: str, left: Any, right: Any) -> str:
    """A header's field and what is unequal in it, as in 'versions (torch: 2.10 and 2.11)'."""
    if isinstance(left, dict) and isinstance(right, dict):
        keys = sorted(key for key in {**left, **right} if left.get(key) != right.get(key))
        values = ", ".join(f"{key}: {both(left.get(key), right.get(key))}" for key in keys)
    else:
        values = both(left, right)
    return f"{field} ({values})"
