"""What is unequal in the inputs of two steps, and how: which rows, their order, their padding."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from math import prod
from typing import Any

from reference.diff.sides import FIRST, SECOND
from reference.diff.unequal import FORWARD_PASSES, HARD, NOTE, SOFT, Pair, Unequal, Weight
from reference.ledger.record import Record
from reference.messages import plain


def batch(pair: Pair) -> Iterator[Unequal]:
    """Each forward pass's inputs; one that only one side passes may have no effect.

    Nor has it by itself that a step is made of more passes in one run: a model may be called as a
    whole, or its parts one after another. Gradients and updates tell.
    """
    left, right = pair.left["batch"], pair.right["batch"]
    if not (left and right) and left != right:
        yield Unequal("batch", FORWARD_PASSES, len(left), len(right))
    elif len(left) != len(right):
        unequal = Unequal("batch", FORWARD_PASSES, len(left), len(right), SOFT)
        yield from (unequal, *(replace(u, weight=_soft(u)) for u in _passes(left, right)))
    else:
        yield from _passes(left, right)


def _soft(unequal: Unequal) -> Weight:
    return SOFT if unequal.weight == HARD else unequal.weight


def _passes(left: list[Record], right: list[Record]) -> Iterator[Unequal]:
    for number, (x, y) in enumerate(zip(left, right, strict=False), 1):
        of_pass = number if len(left) > 1 else None
        models = x.get("model", 0), y.get("model", 0)
        if models[0] != models[1]:
            yield Unequal("batch", "model", *models, forward_pass=of_pass)
        names = sorted({*x, *y} - {"tokens", "model", "arguments"})
        tokens = x.get("tokens") if x.get("tokens") == y.get("tokens") else None
        unequal = [
            u for name in names for u in _input(name, x.get(name), y.get(name), of_pass, tokens)
        ]
        yield from _beside_equal(unequal, [n for n in names if _is_same(x.get(n), y.get(n))])


def _input(name: str, x: Any, y: Any, of_pass: int | None, tokens: int | None) -> Iterator[Unequal]:
    """One input of a pass; `tokens`: how many places of both runs are no padding, if they say."""
    if x is None or y is None:
        only = x if y is None else y
        weight = NOTE if isinstance(only, list) and only[3] is not None else SOFT
        shown = _form(only) if isinstance(only, list) else only
        left, right = (shown, None) if y is None else (None, shown)
        yield Unequal("batch", name, left, right, weight, of_pass)
    elif x[1] == y[1] and x[2] != y[2] and (values := _values(x)) and values == _values(y):
        kinds = plain(f"{x[2]} and {y[2]}")
        field = f"{name}'s type ({kinds})"
        yield Unequal("batch", field, x[2], y[2], SOFT, of_pass, words="the same values")
    elif x[:3] != y[:3]:
        same_form = x[1:3] == y[1:3]
        left, right = (x[0], y[0]) if same_form else (_form(x), _form(y))
        said = [] if same_form else [plain(f"{left} and {right}")]
        words = "; ".join([*said, *_how(x, y, tokens if same_form else None)])
        yield Unequal("batch", name, left, right, HARD, of_pass, words=words)


def _values(described: list[Any]) -> str | None:
    """A hash of an input's whole numbers, whatever their type; None of others."""
    if described[2] == "int64":
        return str(described[0])
    values = more(described).get("values")
    return None if values is None else str(values)


def _is_same(x: Any, y: Any) -> bool:
    """Whether an input of more than one value is the same in both."""
    both = isinstance(x, list) and isinstance(y, list)
    return both and x[:3] == y[:3] and x[3] is None


def _beside_equal(unequal: list[Unequal], same: list[str]) -> list[Unequal]:
    """With what is the same beside it: other values of the same rows, or other rows."""
    if not (same and unequal and unequal[0].words):
        return unequal
    words = f"{unequal[0].words}; beside the same {' and '.join(map(plain, same))}"
    return [replace(unequal[0], words=words), *unequal[1:]]


def _form(described: list[Any]) -> str:
    """Shape and type of an input, as in '(8, 65) int64'."""
    return f"{tuple(described[1])} {described[2]}"


def more(described: list[Any]) -> Record:
    """What tells an input apart; older ledgers have nothing."""
    more = described[4] if len(described) > 4 else {}
    return more if isinstance(more, dict) else {}


def rows(described: list[Any]) -> list[str]:
    """A short hash of each row of an input; none where the ledger has none."""
    return str(more(described).get("rows", "")).split()


def _how(x: list[Any], y: list[Any], tokens: int | None) -> Iterator[str]:
    """What is unequal of one input, in words.

    Args:
        x: The first run's.
        y: The second run's.
        tokens: How many places of both are no padding, where they have the same shape.
    """
    left, right = more(x), more(y)
    places = prod(x[1])
    if rows(x) and rows(y):
        padding = f" in {places - tokens} places" if tokens is not None else ""
        yield _rows(rows(x), rows(y), padding)
    ignored, others = left.get("ignored"), right.get("ignored")
    ours, theirs = left.get("unlike_ids"), right.get("unlike_ids")
    if ignored is not None and others is not None and ignored != others:
        yield (
            f"{ignored} of {places} in {FIRST} and {others} in {SECOND} are -100, which a loss "
            "leaves out"
        )
        if ours == theirs == 0 and x[1] == y[1]:
            yield "all else of them is the input_ids in both"
    if ours != theirs and ours is not None and theirs is not None:
        yield f"{_unlike(ours, places)} in {FIRST}, {_unlike(theirs, prod(y[1]))} in {SECOND}"


def _rows(left: list[str], right: list[str], padding: str) -> str:
    both = sum((Counter(left) & Counter(right)).values())
    if left == right:
        return f"the same rows, padded differently{padding}"
    if both == len(left) == len(right):
        return "the same rows in a different order"
    if len(left) != len(right):
        return f"{len(left)} and {len(right)} rows, of which {both} are the same"
    return f"{len(left) - both} of {len(left)} rows differ"


def _unlike(count: int, places: int) -> str:
    return (
        f"unlike input_ids in {count} of {places} places"
        if count
        else "they are the input_ids themselves"
    )
