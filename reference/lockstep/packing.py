"""Tensors as a record and their bytes, and back: type, shape, hash."""

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor

from reference.ledger.record import Record
from reference.lockstep.wire import Bytes
from reference.observe.tensors.hashing import buffer_of, hash_tensor

HALVES = (torch.bfloat16, torch.float16)


def described(tensor: Tensor) -> Record:
    """Type, shape and hash of a tensor."""
    kind = str(tensor.dtype).removeprefix("torch.")
    return {"type": kind, "shape": list(tensor.shape), "hash": hash_tensor(tensor)}


def pack(tensors: Mapping[str, Tensor]) -> tuple[Record, dict[str, Bytes]]:
    """Records of tensors by name, and their bytes by hash: of those that can be sent.

    Of a sparse or quantized one there is a record alone; of one without readable values nothing.
    """
    readable = {name: tensor for name, tensor in tensors.items() if is_readable(tensor)}
    records = {name: described(tensor) for name, tensor in readable.items()}
    pieces: dict[str, Bytes] = {}
    pieces |= {records[n]["hash"]: buffer_of(t) for n, t in readable.items() if is_plain(t)}
    return records, pieces


def is_plain(tensor: Tensor) -> bool:
    """Whether it is made anew from its bytes, type and shape."""
    return tensor.layout == torch.strided and not tensor.is_quantized


def is_sent(record: Record, pieces: Mapping[str, Bytes]) -> bool:
    """Whether the bytes of a tensor came with its record."""
    return record["hash"] in pieces


def unpack(record: Record, pieces: Mapping[str, Bytes]) -> Tensor:
    """The tensor that a record describes, on the CPU, with memory of its own."""
    dtype = getattr(torch, record["type"])
    piece = pieces[record["hash"]]
    if len(piece) == 0:
        return torch.empty(record["shape"], dtype=dtype)
    flat = torch.frombuffer(bytearray(piece), dtype=torch.uint8)
    return flat.view(dtype).reshape(record["shape"])


def unpack_all(records: Mapping[str, Record], pieces: Mapping[str, Bytes]) -> dict[str, Tensor]:
    """Each that was sent, by its name."""
    sent = {name: record for name, record in records.items() if is_sent(record, pieces)}
    return {name: unpack(record, pieces) for name, record in sent.items()}


def comparable(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Outputs as they are compared: Accelerate gives float32 copies of what bfloat16 computed."""
    plain = {name: tensor.detach() for name, tensor in tensors.items()}
    return {name: t.float() if t.dtype in HALVES else t for name, t in plain.items()}


def described_all(tensors: Mapping[str, Tensor]) -> Record:
    """Records alone, by name; what has no bytes to be read is left out."""
    return {name: described(t) for name, t in tensors.items() if is_readable(t)}


def is_readable(tensor: Tensor) -> bool:
    """Whether its bytes can be had."""
    return not (tensor.is_nested or tensor.is_meta)


def hashes(tensors: Iterable[Tensor]) -> list[str]:
    """Of each."""
    return [hash_tensor(tensor) for tensor in tensors]
