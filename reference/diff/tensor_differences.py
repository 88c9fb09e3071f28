"""How many tensors of a link are unequal, and which is the first: parameters and buffers."""

from collections import Counter
from collections.abc import Iterator, Sequence

from reference.diff.sides import RUNS
from reference.diff.unequal import NOTE, Share, Things, Unequal
from reference.ledger.marks import ABSENT
from reference.ledger.record import Record

OF_ALL_MODELS = ("weights", "update")  # links that list each model that is alive


def tensors(link: str, left: Record, right: Record, names: Sequence[str]) -> Iterator[Unequal]:
    """The first unequal tensor of a link, with its norms where they are known.

    Args:
        link: The name of the link.
        left: The link's value in the first run.
        right: The same of the second run, its tensors in the first run's places.
        names: Of the parameters, in these places.
    """
    if left.get("hash") == right.get("hash"):
        return
    hashes = [value.get("tensors", "").split() for value in (left, right)]
    if all(hashes):  # a list from before a model was seen is shorter
        hashes = [[*each, *[ABSENT] * (len(names) - len(each))] for each in hashes]
    triples = zip(names, *hashes, strict=False)
    pairs = [(x, y) for _, x, y in triples]
    unequal = [place for place, (x, y) in enumerate(pairs) if x != y]
    if link in OF_ALL_MODELS:
        # Of a model that was let go: in one run Python has freed it by now, in the other not yet.
        unequal = [place for place in unequal if ABSENT not in pairs[place]]
    if not unequal and any(x != y for x, y in pairs):
        return
    if not unequal:
        yield Unequal(link, "hash", left.get("hash"), right.get("hash"))
        return
    first = unequal[0]
    share = Share(len(unequal), len(names), Things.TENSORS)
    lists = [value.get("norms", "").split() for value in (left, right)]
    norms = [float(norms[first]) for norms in lists if len(norms) > first]
    if len(norms) == 2 and norms[0] != norms[1]:
        yield Unequal(link, "norm", norms[0], norms[1], tensor=names[first], share=share)
    elif words := _absent_in_one([(hashes[0][n], hashes[1][n]) for n in unequal], lists, unequal):
        pair = hashes[0][first], hashes[1][first]
        yield Unequal(link, "hash", *pair, tensor=names[first], share=share, words=words)
    else:  # the ledgers have no norms, or the tensors are other bits of the same norm
        pair = hashes[0][first], hashes[1][first]
        yield Unequal(link, "hash", *pair, tensor=names[first], share=share)


def _absent_in_one(
    pairs: Sequence[tuple[str, str]], norms: Sequence[Sequence[str]], places: Sequence[int]
) -> str:
    """In words, where one run has none of what is unequal; else nothing."""
    for side in (0, 1):
        if all(pair[side] == ABSENT and pair[1 - side] != ABSENT for pair in pairs):
            there = norms[1 - side]
            zero = len(there) > max(places) and all(float(there[n]) == 0 for n in places)
            return f"none in {RUNS[side]}, and {'zeros' if zero else 'some'} in {RUNS[1 - side]}"
    return ""


def buffers(link: str, left: Record, right: Record) -> Iterator[Unequal]:
    """The first unequal buffer: what models keep beside their weights.

    Args:
        link: The name of the link.
        left: What has the field `buffers` in the first run: a link's value, or the end of the run.
            Older ledgers have no such field; then nothing is compared.
        right: The same of the second run.
    """
    ours, theirs = left.get("buffers"), right.get("buffers")
    if ours is None or theirs is None or ours["hash"] == theirs["hash"]:
        return
    p, q = ours.get("tensors", {}), theirs.get("tensors", {})
    unequal = [name for name in p if name in q and p[name] != q[name]]
    if unequal:
        name = unequal[0]
        share = Share(len(unequal), len(p), Things.BUFFERS)
        yield Unequal(link, "hash", p[name], q[name], tensor=name, share=share)
        return
    # All hashes of the one run are among the other's, under other names: what the other run keeps
    # beside them has no effect here.
    p_hashes, q_hashes = Counter(p.values()), Counter(q.values())
    if p and q and (p_hashes < q_hashes or q_hashes < p_hashes):
        yield Unequal(link, "number of buffers", len(p), len(q), NOTE)
    else:
        yield Unequal(link, "buffers", ours["hash"], theirs["hash"])
