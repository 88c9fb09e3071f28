"""Trainings written in three ways: plainly, otherwise with the same outcome, and with a fault."""

from collections.abc import Callable
from enum import Enum
from typing import Any

from tests.diff.pairs import pair


class Way(Enum):
    """How a training is written."""

    PLAIN = "plainly"
    SOUND = "otherwise"
    FAULTY = "with a fault"


def three_ways(
    link: str, *words: str, uncalled: bool = False, notes: tuple[str, ...] = ()
) -> Callable[[Callable[[Way], dict[str, Any]]], None]:
    """Makes two pairs of a training: plain and sound are identical, plain and faulty are not.

    Args:
        link: In which the fault shows.
        words: That its verdict has.
        uncalled: As `Pair` has it.
        notes: What the verdict on the sound one has.
    """

    def put(train: Callable[[Way], dict[str, Any]]) -> None:
        def sound(second: bool) -> dict[str, Any]:
            return train(Way.SOUND if second else Way.PLAIN)

        def faulty(second: bool) -> dict[str, Any]:
            return train(Way.FAULTY if second else Way.PLAIN)

        sound.__name__, faulty.__name__ = f"{train.__name__}_otherwise", train.__name__
        pair("", *notes, uncalled=uncalled)(sound)
        pair(link, *words, uncalled=uncalled)(faulty)

    return put
