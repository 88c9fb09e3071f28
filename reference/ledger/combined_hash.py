"""One hash of several."""

from collections.abc import Sequence

import xxhash


def combine(hashes: Sequence[str]) -> str:
    """One hash for a list of them, in order."""
    return xxhash.xxh3_128_hexdigest(",".join(hashes).encode())


def combine_listed(hashes: str) -> str:
    """The same for a list as a record has it: with a space between two."""
    return xxhash.xxh3_128_hexdigest(hashes.replace(" ", ",").encode())
