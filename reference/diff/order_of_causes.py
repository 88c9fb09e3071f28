"""In which order the links of a step are looked at, and which of them is named."""

from reference.diff.unequal import SOFT, Unequal


def in_order_of_cause(links: list[str]) -> list[str]:
    """As the table has them, but for the rates: an update follows from them."""
    ordered = [link for link in links if link != "schedule"]
    if "schedule" in links:
        at = ordered.index("update") if "update" in ordered else len(ordered)
        ordered.insert(at, "schedule")
    return ordered


def named_link(
    link: str, unequal: list[Unequal], before: list[Unequal], causes: list[Unequal]
) -> str:
    """The link that is named: the first that may be why the hard one is unequal, or else that."""
    if causes:
        return causes[0].link
    if link == "schedule":  # a rate is told, and follows from nothing in its step
        return unequal[0].link
    return next((u.link for u in before if u.weight == SOFT), link)
