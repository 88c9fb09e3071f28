"""Random choices that are the same bytes on every machine and Python version.

    python -m reference data

Only `random.Random.random` is used: it is the one method whose sequence Python promises not to
change for a given seed ("Notes on Reproducibility", library reference, `random`); `choice`,
`shuffle` and `sample` carry no such promise.
"""

import random
from collections.abc import Sequence
from typing import TypeVar

from reference.lesson.embedded import words

T = TypeVar("T")

# What a slot of a template is filled from, where that is a list of words.
GROUPS: dict[str, words.Groups] = {
    "noun": words.NOUNS,
    "verb": words.VERBS,
    "adj": words.ADJECTIVES,
    "adv": words.ADVERBS,
    "rise": words.RISES,
    "day": words.DAYS,
    "month": words.MONTHS,
    "link": words.LINKS,
    "title": words.TITLES,
    "unit": words.UNITS,
}
# Looks of numbers: "1" is a digit from 1 to 9, "#" one from 0 to 9.
NUMBERS = {
    "number": ("1", "1#", "1.#", "1#.#"),
    "count": ("1", "1#", "1#", "1##", "1,###"),
}
_SYNONYMS = {
    kind: {word: group for group in groups for word in group} for kind, groups in GROUPS.items()
}


class Draw:
    """A stream of choices from one seed."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed).random

    def chance(self, probability: float) -> bool:
        """True with this probability, from 0 to 1."""
        return self._random() < probability

    def between(self, low: float, high: float) -> float:
        """A number from `low` up to `high`, each as likely."""
        return low + (high - low) * self._random()

    def below(self, limit: int) -> int:
        """An integer in [0, limit)."""
        return int(self._random() * limit)

    def choice(self, items: Sequence[T]) -> T:
        """One of `items`, each as likely."""
        return items[self.below(len(items))]

    def early(self, items: Sequence[T]) -> T:
        """One of `items`, the first ones more often, as some words of a language are."""
        point = self._random()
        # Not `** 2`: that is the C library's, and needn't be the same bits everywhere.
        return items[int(point * point * len(items))]

    def weighted(self, items: Sequence[T], weights: Sequence[float]) -> T:
        """One of `items`; `weights` sum to 1."""
        point = self._random()
        for item, weight in zip(items, weights, strict=True):
            point -= weight
            if point < 0:
                return item
        return items[-1]

    def shuffled(self, items: Sequence[T]) -> list[T]:
        """A permutation, by Fisher and Yates."""
        out = list(items)
        for last in range(len(out) - 1, 0, -1):
            other = self.below(last + 1)
            out[last], out[other] = out[other], out[last]
        return out

    def slot(self, kind: str, like: str = "") -> str:
        """A filling for a template's slot: one word, or a few (`person`, `firm`, `number`)."""
        if kind in GROUPS:
            return self.choice(self.early(GROUPS[kind]))
        if kind == "person":
            return f"{self.early(words.FIRST_NAMES)} {self._name()}"
        if kind == "firm":
            return f"{self._name()} {self.early(words.FIRM_ENDS)}"
        if kind == "place":
            return self.early(words.PLACE_STARTS) + self.early(words.PLACE_ENDS)
        if kind in NUMBERS:
            # Drawn again, a number keeps its look: paraphrases would else be the pairs whose
            # sentences have the same number of digits.
            pattern = _pattern(like) or self.choice(NUMBERS[kind])
            return "".join(
                str(self.below(10)) if c == "#" else str(1 + self.below(9)) if c == "1" else c
                for c in pattern
            )
        if kind == "year":
            return f"19{self.below(10)}{self.below(10)}"
        raise KeyError(kind)

    def synonym(self, kind: str, text: str) -> str:
        """Another way to say `text`; itself where there is none.

        A person's first name may go. Each word of a group turns into each with equal
        probability, so that swapping leaves the distribution of words as it was.
        """
        if kind == "person":
            return text.split()[-1]
        group = _SYNONYMS.get(kind, {}).get(text, (text,))
        return self.choice(group)

    def _name(self) -> str:
        return self.early(words.NAME_STARTS) + self.early(words.NAME_ENDS)


def _pattern(number: str) -> str:
    """The look of a number: '12.5' -> '1#.#'."""
    return "".join(
        "#" if c.isdigit() and at else "1" if not at else c for at, c in enumerate(number)
    )
