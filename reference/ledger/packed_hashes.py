"""Lists of hashes as they stand in a ledger's file: in two thirds of the characters.

A step's line is for the most part three lists with a hash of each tensor. A record has them as hex
digits, 16 of each hash, with a space between two. In the file they stand in base64, behind a '='.
"""

import base64

from reference.ledger.marks import ABSENT

PACKED = "="  # what a packed list begins with
BYTES = 8  # of one hash
NONE = "00" * BYTES  # in the place of an absent one


def pack(hashes: str) -> str:
    """A list as the file has it; one that it would change, or make longer, as it is."""
    try:
        raw = bytes.fromhex(hashes.replace(ABSENT, NONE))
    except ValueError:
        return hashes
    if len(raw) % BYTES or _listed(raw) != hashes:
        return hashes
    packed = PACKED + base64.b64encode(raw).decode()
    return packed if len(packed) < len(hashes) else hashes  # as where most are absent


def unpack(text: str) -> str:
    """A list as a record has it.

    Raises:
        ValueError: It begins as a packed one does, and is none.
    """
    if not text.startswith(PACKED):
        return text
    raw = base64.b64decode(text.removeprefix(PACKED), validate=True)
    if len(raw) % BYTES:
        raise ValueError(f"{len(raw)} bytes are no whole hashes")
    return _listed(raw)


def _listed(raw: bytes) -> str:
    return raw.hex(" ", BYTES).replace(NONE, ABSENT)
