"""Two values that are unequal, in a line of text, and how far apart they are.

Used by `python -m reference diff A B`.
"""

import sys
from typing import Any

from reference.messages import plain

LONGEST = 90  # characters of a value in a line


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
        pair = _whole(left), _whole(right)
        at = next((i for i, (x, y) in enumerate(zip(*pair, strict=False)) if x != y), 0)
        start = max(0, at - LONGEST // 2)
        pair = tuple(_from(text, start) for text in pair)  # type: ignore[assignment]
        if pair[0] == pair[1]:  # 1 and True, 1 and 1.0, 'x' and a list that reads so
            pair = f"{pair[0]} ({type(left).__name__})", f"{pair[1]} ({type(right).__name__})"
    return f"{pair[0]} and {pair[1]}"


def _from(text: str, start: int) -> str:
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
