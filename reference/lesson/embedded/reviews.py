"""Single sentences in SST-2's shape: phrases of film reviews, good or bad.

    python -m reference data

The verdict is that of the main clause. Opinion words carry it, but "not" and "never" turn it, and
an aside ("despite its ... plot") may hold the opposite: counting words gets most, not all.
"""

import re

from reference.lesson.embedded import words
from reference.lesson.embedded.draw import Draw

TURNED = 0.12  # share of phrases whose verdict comes from a negated word
MIXED = 0.16  # share of sentences with an aside of the opposite verdict


def make_review(draw: Draw, label: int) -> str:
    """A lower-case phrase that ends in a space, as SST-2's do; `label` 1 good, 0 bad."""
    thing, other = draw.early(words.THINGS), draw.early(words.THINGS)
    opinion = _opinion(draw, label)
    core = draw.choice(
        (
            f"a {opinion} {thing}",
            f"the {thing} is {opinion}",
            f"{_opinion(draw, label)} , {opinion} {thing}",
            f"a {thing} that {_does(draw, label)}",
            f"the {thing} {_does(draw, label)}",
            f"it 's {opinion}",
            f"a {opinion} {thing} and a {_opinion(draw, label)} {other}",
        )
    )
    if draw.chance(MIXED):
        against = _opinion(draw, 1 - label)
        core = draw.choice(
            (
                f"despite its {against} {other} , {core}",
                f"{core} , even if the {other} is {against}",
                f"{core} in spite of a {against} {other}",
            )
        )
    for _ in range(draw.weighted((0, 1, 2), (0.15, 0.50, 0.35))):
        core = f"{core} {draw.choice(words.ASIDES)}"
    core = re.sub(r"\ba (?=[aeiou])", "an ", core)
    return core + (" . " if draw.chance(0.4) else " ")


def _opinion(draw: Draw, label: int) -> str:
    if draw.chance(TURNED):
        return f"{draw.early(words.NOT)} {draw.early(_adjectives(1 - label))}"
    hedge = f"{draw.early(words.HEDGES)} " if draw.chance(0.3) else ""
    return hedge + draw.early(_adjectives(label))


def _does(draw: Draw, label: int) -> str:
    if draw.chance(TURNED):
        return f"never {draw.early(words.DISLIKES if label else words.LIKES)}"
    return draw.early(words.LIKES if label else words.DISLIKES)


def _adjectives(label: int) -> tuple[str, ...]:
    return words.GOOD if label else words.BAD
