"""The links that lockstep holds: those of a ledger's step, and the zeroing of gradients."""

from reference.ledger.link_table import LINKS as OF_A_STEP
from reference.messages import nearest

LINKS = (*OF_A_STEP, "zeroed")
# What a machine computed: these differ because something before them does, but for other reasons
# of their own.
COMPUTED = ("forward", "gradient", "update")


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
