"""How tests look at a refusal of wrong input: one line of an InputError, with what it must name."""

from collections.abc import Callable

import pytest

from reference.errors import InputError


def refusal(call: Callable[[], object]) -> str:
    """The line with which `call` is refused; an error of another type passes through."""
    with pytest.raises(InputError) as caught:
        call()
    line = str(caught.value)
    assert "\n" not in line
    return line


def says(line: str, *parts: str) -> None:
    """Each part stands in the line."""
    for part in parts:
        assert part in line, line
