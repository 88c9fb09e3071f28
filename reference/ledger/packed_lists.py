"""Lists with an entry for each tensor, as they stand in a ledger's file: shorter than in a record.

A step's line is for the most part three lists of hashes. A record has them as hex digits, 16 of
each hash, with a space between two. In the file they stand in base64, behind a '='. And an entry of
one character that comes eight times or more in a row stands there once, with its number behind a
'*': as '-*2000' where the models that had these places are gone.
"""

import base64
import re

from reference.ledger.marks import ABSENT

PACKED = "="  # what packed hashes begin with
BYTES = 8  # of one hash
NONE = "00" * BYTES  # in the place of an absent one
MOST = 10_000_000  # entries of one list that stand behind a '*'
_RUN = re.compile(r"(?<!\S)(\S)(?: \1){7,}(?!\S)")
_COUNTED = re.compile(r"(?<!\S)(\S)\*(\d+)(?!\S)")
_AROUND = re.compile(r" ?(\S\*\d+) ?")


def count_runs(listed: str) -> str:
    """A list of any entries, as the file has it."""
    return _RUN.sub(lambda run: f"{run[1]}*{(len(run[0]) + 1) // 2}", listed)


def repeat_runs(text: str) -> str:
    """A list of any entries, as a record has it.

    Raises:
        ValueError: More entries than any training has tensors.
    """
    counts = [int(count) for _, count in _COUNTED.findall(text)]
    if sum(counts) > MOST:
        raise ValueError(f"more than {MOST:,} entries")
    return _COUNTED.sub(lambda run: " ".join([run[1]] * int(run[2])), text) if counts else text


def pack(hashes: str) -> str:
    """A list of hashes, as the file has it; what packing would change, or lengthen, as it is."""
    if ABSENT not in hashes and "*" not in hashes:
        return _packed(hashes)  # no runs: each entry is a hash, as in most steps of most trainings
    return " ".join(_packed(part) for part in _AROUND.split(count_runs(hashes)) if part)


def unpack(text: str) -> str:
    """A list of hashes, as a record has it.

    Raises:
        ValueError: It begins as a packed one does, and is none; or it is too long.
    """
    return repeat_runs(" ".join(_unpacked(part) for part in text.split(" ")))


def _packed(hashes: str) -> str:
    try:
        raw = bytes.fromhex(hashes.replace(ABSENT, NONE))
    except ValueError:
        return hashes
    if len(raw) % BYTES or _listed(raw) != hashes:
        return hashes
    packed = PACKED + base64.b64encode(raw).decode()
    return packed if len(packed) < len(hashes) else hashes


def _unpacked(text: str) -> str:
    if not text.startswith(PACKED):
        return text
    raw = base64.b64decode(text.removeprefix(PACKED), validate=True)
    if len(raw) % BYTES:
        raise ValueError(f"{len(raw)} bytes are no whole hashes")
    return _listed(raw)


def _listed(raw: bytes) -> str:
    return raw.hex(" ", BYTES).replace(NONE, ABSENT)
