"""One hash of several."""

from collections.abc import Sequence

import xxhash


def combine(hashes: Sequence[str]) -> str:
    """One hash for a list of them, in order."""
    return xxhash.xxh3_128_hexdigest(",".join(hashes).encode())
