"""The global generators as bytes, and put in place: Python's, NumPy's, torch's, each GPU's."""

import random
from collections.abc import Mapping

import numpy as np
import torch
import xxhash

from reference.ledger.record import Record
from reference.lockstep.wire import Bytes
from reference.observe.generators import generator_states
from reference.observe.tensors.hashing import buffer_of

__all__ = ["generator_states", "pack_generators", "put_generator"]


def pack_generators() -> tuple[Record, dict[str, Bytes]]:
    """By each generator's name what it needs to be put in place; and the bytes, by hash."""
    hashes = generator_states()
    version, words, gauss = random.getstate()
    python = np.array(words, dtype=np.uint32).tobytes()
    records: Record = {"python": {"version": version, "gauss": gauss}}
    bytes_of: dict[str, Bytes] = {"python": python, "torch": buffer_of(torch.get_rng_state())}
    records["torch"] = {}
    state = np.random.get_state(legacy=False)
    if "key" in state["state"]:  # the Mersenne twister, which all have that set no other
        records["numpy"] = {
            "pos": int(state["state"]["pos"]),
            "has_gauss": int(state["has_gauss"]),
            "gauss": float(state["gauss"]),
        }
        bytes_of["numpy"] = state["state"]["key"].tobytes()
    for name in hashes:
        if name.startswith("cuda:"):
            records[name] = {}
            bytes_of[name] = buffer_of(torch.cuda.get_rng_state(int(name[5:])))
    pieces: dict[str, Bytes] = {}
    for name, piece in bytes_of.items():
        records[name]["bytes"] = hashed = xxhash.xxh3_64_hexdigest(piece)
        pieces[hashed] = piece
    for name, hashed in hashes.items():
        records.setdefault(name, {})["state"] = hashed
    return records, pieces


def put_generator(name: str, record: Record, pieces: Mapping[str, Bytes]) -> bool:
    """Give a generator the state of a record; False where that can't be done."""
    if "bytes" not in record:
        return False
    piece = pieces[record["bytes"]]
    if name == "python":
        words = tuple(np.frombuffer(piece, np.uint32).tolist())
        random.setstate((record["version"], words, record["gauss"]))
    elif name == "numpy":
        key = np.frombuffer(piece, np.uint32)
        rest = record["pos"], record["has_gauss"], record["gauss"]
        np.random.set_state(("MT19937", key, *rest))
    else:
        state = torch.frombuffer(bytearray(piece), dtype=torch.uint8)
        if name == "torch":
            torch.set_rng_state(state)
        elif torch.cuda.is_available() and int(name[5:]) < torch.cuda.device_count():
            torch.cuda.set_rng_state(state, int(name[5:]))
        else:
            return False
    return True
