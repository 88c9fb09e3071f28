"""What may stand in a field of a record: checks, and what larger checks are made of.

A check takes a value and returns None where the value is as it should be, and otherwise the dotted
path of what is wrong within it ('' for the value itself). No check runs anything that it reads.
"""

import math
import re
import sys
from collections.abc import Callable, Mapping
from typing import Any

Check = Callable[[Any], str | None]

DEEPEST = 8  # levels of nesting: a header's recipe or an optimizer's values are no deeper
PLACES = re.compile(r"([0-9]{1,9}( [0-9]{1,9})*)?", re.ASCII)
NOT_FINITE = ("nan", "inf", "-inf")  # JSON has no numbers for them


def is_of(*types: type) -> Check:
    """A check for a value of exactly one of these types (True is no int)."""
    return lambda value: None if type(value) in types else ""


text, flag = is_of(str), is_of(bool)


def whole(value: Any) -> str | None:
    """Checks a number of things: 0 and up, and no more than a file can have."""
    return None if type(value) is int and 0 <= value <= sys.maxsize else ""


def places(value: Any) -> str | None:
    """Checks a list of places, with a space between two."""
    return None if type(value) is str and PLACES.fullmatch(value) else ""


def number(value: Any) -> str | None:
    """Checks a finite number within a float's range, or one of the words for the others."""
    if type(value) is float:
        return None if math.isfinite(value) else ""
    if type(value) is int:
        return None if abs(value) <= sys.float_info.max else ""
    return None if value in NOT_FINITE and type(value) is str else ""


def anything(value: Any, depth: int = DEEPEST) -> str | None:
    """Checks whatever JSON has: not nested too deeply, and its numbers within a float's range."""
    if isinstance(value, dict | list):
        if depth == 0:
            return ""
        if isinstance(value, list) and set(map(type, value)) == {float}:
            # Most of a long ledger's numbers stand in such lists.
            return None if all(map(math.isfinite, value)) else ""
        for key, entry in value.items() if isinstance(value, dict) else enumerate(value):
            path = anything(entry, depth - 1)
            if path is not None:
                return _within(key, path)
        return None
    return number(value) if type(value) in (int, float) else None


def either(*checks: Check) -> Check:
    """A check for a value that one of these checks takes."""
    return lambda value: None if any(check(value) is None for check in checks) else ""


def list_of(check: Check) -> Check:
    """A check for a list, each entry of which is as `check` has it."""

    def check_list(value: Any) -> str | None:
        if type(value) is not list:
            return ""
        for place, entry in enumerate(value):
            path = check(entry)
            if path is not None:
                return _within(place, path)
        return None

    return check_list


def mapping(
    needed: Mapping[str, Check],
    optional: Mapping[str, Check] | None = None,
    others: Check = anything,
) -> Check:
    """A check for a mapping.

    Args:
        needed: The fields that have to be there, and their checks.
        optional: The fields that may be there, and their checks.
        others: The check for any other field.
    """
    checks = {**needed, **(optional or {})}

    def check_mapping(value: Any) -> str | None:
        if type(value) is not dict:
            return ""
        for name in needed:
            if name not in value:
                return name
        for name, entry in value.items():
            path = checks.get(name, others)(entry)
            if path is not None:
                return _within(name, path)
        return None

    return check_mapping


def _within(key: object, path: str) -> str:
    """The path of a wrong entry, from outside: 'outer.inner'."""
    return f"{key}.{path}" if path else str(key)
