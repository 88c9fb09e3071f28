"""What is to be said of the ranks of one run, in words."""

from collections.abc import Sequence

from reference.diff.replica_notes import EndsEarly, NoReplicas, OfRanks, OtherLengths, RanksPart
from reference.diff.sides import Sides
from reference.diff.unequal import NOTE
from reference.diff.value_text import unequal_text

EACH_ALONE = (
    "no gradient is averaged in any step, and each trains a model of its own; if they are to train "
    "one, wrap it (DistributedDataParallel, accelerator.prepare)"
)
SHOWN_RANKS = 8  # in a line
SHOWN = 3  # unequal fields in a line


def of_ranks_text(note: OfRanks, sides: Sides) -> str:
    """One note on the ranks of a run, in a line.

    Args:
        note: The note.
        sides: What the two runs are called.
    """
    match note:
        case NoReplicas(ranks, first, why):
            against = "" if first in ranks else f", held against rank {first}"
            return f"not compared: {ranks_text(ranks)}{against}: {why}"
        case EndsEarly(ranks):
            what = "its ledger has" if len(ranks) == 1 else "their ledgers have"
            return f"{ranks_text(ranks)}: {what} no whole end (stopped, failed or lost)"
        case OtherLengths(fewest, most):
            return f"compared for {fewest} steps, which all of them have; one has {most}"
        case RanksPart():
            if note.side is not None:
                return f"{sides.name(note.side)}: {parting_text(note)}"
            first, second = note.of_values  # the verdict has them
            values = f"of two values the first is rank {first}'s, the second rank {second}'s"
            return f"{_who_parts(note)}; {values}"


def parting_text(part: RanksPart) -> str:
    """As in 'rank 1 parts from rank 0 at step 3, link optimizer: learning_rate: 0.1 and 0.2'.

    The values are named by their ranks where the sentence doesn't tell whose they are.
    """
    first, second = (f"rank {rank}" for rank in part.of_values)
    sides = Sides(first, second, f"{first} and {second}", first)
    shown = [unequal_text(u, sides) for u in part.unequal if u.weight != NOTE][:SHOWN]
    whose = f" (on rank {part.of_values[0]} and on rank {part.of_values[1]})"
    return f"{_who_parts(part)}: {'; '.join(shown)}{whose}"


def _who_parts(part: RanksPart) -> str:
    verb = "parts" if len(part.ranks) == 1 else "part"
    place = f"at step {part.step}, link {part.link}"
    return f"{ranks_text(part.ranks)} {verb} from {ranks_text(part.others)} {place}"


def ranks_text(ranks: Sequence[int]) -> str:
    """As in 'rank 1' or 'ranks 1, 2, 3, 4 and 60 more'."""
    if len(ranks) == 1:
        return f"rank {ranks[0]}"
    more = f" and {len(ranks) - SHOWN_RANKS} more" if len(ranks) > SHOWN_RANKS else ""
    return f"ranks {', '.join(map(str, ranks[:SHOWN_RANKS]))}{more}"
