"""What two equal runs leave otherwise, to no effect in them: beside the verdict, and no divergence.

Generators, gradients and hyper-parameters do nothing by themselves. Whoever saves a checkpoint, or
goes on from here, has others.
"""

from collections.abc import Collection, Iterator

from reference.diff.model_ends import parts_of_models
from reference.diff.notes import GeneratorsAtEnd, GradientsAtEnd, Note, OlderEnd
from reference.diff.one_numbering import at_places
from reference.diff.optimizer_ends import notes_of_optimizers
from reference.diff.parameter_matching import Matching
from reference.diff.saved_ends import notes_of_saved
from reference.ledger.marks import ABSENT
from reference.ledger.record import Record


def left_otherwise(
    left: Record, right: Record, matching: Matching, same_generators: Collection[str]
) -> Iterator[Note]:
    """A note for each kind of it.

    Args:
        left: The first run's end.
        right: The second run's.
        matching: Which parameter of the one run is which of the other's.
        same_generators: Those whose states were equal in the last step. One that nobody seeded is
            another in each run, and nothing is said of it.
    """
    older = tuple(side for side, end in enumerate((left, right)) if "optimizers" not in end)
    if older:
        yield OlderEnd(older)
    yield from notes_of_optimizers(left, right, matching)
    yield from parts_of_models(left, right)
    yield from notes_of_saved(left, right)
    states = [end.get("rng", {}) for end in (left, right)]
    both = states[0].keys() & states[1].keys() & set(same_generators)
    moved = tuple(name for name in sorted(both) if states[0][name] != states[1][name])
    if moved:
        yield GeneratorsAtEnd(moved)
    yield from _gradients(left, right, matching)


def _gradients(left: Record, right: Record, matching: Matching) -> Iterator[Note]:
    if not all("gradients" in end for end in (left, right)):
        return  # an older ledger
    lists = [
        at_places(str(end["gradients"]).split(), matching.places(side))
        for side, end in enumerate((left, right))
    ]
    triples = list(zip(matching.names, *lists, strict=True))
    unequal = [(name, x, y) for name, x, y in triples if x != y]
    if unequal:
        first, *both = unequal[0]
        none = both.index(ABSENT) if ABSENT in both else None
        yield GradientsAtEnd(len(unequal), len(triples), first, none)
