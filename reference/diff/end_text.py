"""What is unequal at the end of two runs, and had no effect in them, in words."""

from reference.diff.notes import GeneratorsAtEnd, GradientsAtEnd, HyperAtEnd, OtherParts
from reference.diff.sides import Sides
from reference.diff.value_text import short
from reference.messages import plain

AtEnd = HyperAtEnd | GeneratorsAtEnd | GradientsAtEnd | OtherParts


def end_text(note: AtEnd, sides: Sides) -> str:
    """One such note in a line.

    Args:
        note: The note.
        sides: What the two runs are called.
    """
    after = "of no effect, after the last step"
    match note:
        case HyperAtEnd(field, left, right):
            return f"{after}: optimizer {short(field)} is left as {left} and {right}"
        case GeneratorsAtEnd(names):
            several = "generators" if len(names) > 1 else "generator"
            which = ", ".join(map(short, names))
            return f"{after}: rng {which}, the {several} left in another state"
        case GradientsAtEnd(count, total, first, none):
            where = "" if none is None else f", none or zeros in {sides.name(none)}"
            return (
                f"{after}: the gradients that are left, {count} of {total} unequal, "
                f"first {plain(first)}{where}"
            )
        case OtherParts(model, count, first, left, right):
            which = f", first {short(first)}" if first else ""
            kinds = " and ".join(plain(kind or "none") for kind in (left, right))
            modules = f"{count} module{'s' * (count != 1)}"
            return (
                f"of no effect: {plain(model)} is made of other modules, {modules}{which}: {kinds}"
            )
