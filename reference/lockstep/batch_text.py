"""A difference of batches in words: what a model and its loss are given."""

from reference.diff.value_text import both
from reference.lockstep.batch_differences import CONTENT, MADE
from reference.lockstep.differences import Difference


def batch_text(difference: Difference) -> str:
    """What is unequal, with both values."""
    name, first = difference.field, difference.first
    if name == "values":
        fields = [note["field"].partition(" ") for note in difference.notes]
        inputs = [name for kind, _, name in fields if kind == "input"]
        names = dict.fromkeys(inputs or [name for _, _, name in fields])
        return f"other rows ({', '.join(names)})"
    if name == MADE:
        return _made_of_a_batch(difference)
    if name == CONTENT:
        return (
            f"none of A's {difference.a} rows is any of B's {difference.b} ({first['name']}): they "
            "are made otherwise, or are others altogether"
        )
    if name == "passes":
        return f"{difference.a} and {difference.b} forward passes a step"
    if name == "rows":
        return f"{difference.a} and {difference.b} rows"
    if name == "width":
        sides = [sorted({note[side] for note in difference.notes}) for side in ("a", "b")]
        texts = [str(w[0]) if len(w) == 1 else f"{w[0]} to {w[-1]}" for w in sides]
        return f"{first['name']} is {texts[0]} wide in A, {texts[1]} in B"
    if name == "multiple":
        return (
            f"{first['name']} is padded to a multiple of {both(difference.a, difference.b)} places"
        )
    if name == "left":
        which = "A" if difference.a else "B"
        return f"rows are padded on the left in {which} alone ({first['name']} begins with zeros)"
    if name == "again":
        which = "A" if difference.a else "B"
        return f"a batch that {which} has had before"
    if name == "ids":
        which, other = ("A", "B") if difference.a else ("B", "A")
        return f"{first['name']} are the input_ids in {which}, and aren't in {other}: shifted, say"
    if name == "ignored inside":
        which = "A" if difference.a else "B"
        count = difference.a or difference.b
        return (
            f"{first['name']} are -100 at places that are no padding in {which} ({count} of them)"
        )
    if name == "mask":
        which = "A" if difference.notes[0]["a"] else "B"
        return f"{first['name']} leaves nothing out in {which}: padding, where there is any, counts"
    if name == "ignored labels":
        return f"{both(difference.a, difference.b)} labels are -100 in {first['name']}"
    if name.startswith("given "):
        which = "A" if difference.a else "B"
        return f"{name.removeprefix('given ')} is given to the model in {which} alone"
    if name.startswith("target "):
        which = "A" if difference.a else "B"
        return f"{name.removeprefix('target ')} is given to the model in {which} alone"
    return f"{name}: {both(difference.a, difference.b)}"


def _made_of_a_batch(difference: Difference) -> str:
    """The same rows, and what is unequal in what is made of them."""
    kind, _, name = difference.first["field"].partition(" ")
    whose = " of a model that doesn't train" if kind == "look" else ""
    unequal = [n for n in ("type", "shape", "ignored", "mean") if _unequal(difference, n)]
    told = [f"{n} {both(difference.a.get(n), difference.b.get(n))}" for n in unequal[:2]]
    values = f": {', '.join(told)}" if told else ""
    what = "targets" if kind == "target" else "inputs"
    return f"of the same batch other {what} are made ({name}{whose}){values}"


def _unequal(difference: Difference, fact: str) -> bool:
    return bool(difference.a.get(fact) != difference.b.get(fact))
