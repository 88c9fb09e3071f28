"""The links that lockstep holds: those of a ledger's step, and the zeroing of gradients."""

from reference.ledger.link_table import LINKS as OF_A_STEP
from reference.messages import nearest

PATIENCE = 60.0  # seconds without a word from one of the two trainings
LINKS = (*OF_A_STEP, "zeroed")
SEED, DRAWS = "generators", "draws"  # the fields of the link `rng`


def links_of(text: str, option: str) -> frozenset[str]:
    """The links of an option's text, as 'clip' or 'clip,batch'.

    Raises:
        InputError: for an unknown one.
    """
    names = [name.strip() for name in text.split(",")]
    for name in names:
        if name not in LINKS:
            raise nearest(f"link in {option}", name, LINKS)
    return frozenset(names)


def rng_field(step: int, number: int) -> str:
    """What it is that generators stand elsewhere: at first another seed, and draws later.

    From the first pass on B has A's states, and both draw alike within a pass: where these are
    unequal when a later one begins, the scripts have drawn otherwise in between.
    """
    return SEED if (step, number) == (1, 1) else DRAWS
