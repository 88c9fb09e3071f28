"""Never falsely identical, never falsely diverged: pairs of trainings judged by what they leave."""

import hashlib
import random
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from reference.diff.ledgers import diff
from reference.ledger.reader import Ledger, Memory
from reference.observe.observer import Observer
from tests.diff.pairs import (  # noqa: F401
    PAIRS,
    Pair,
    after_the_last_step,
    averages,
    bare_tensors,
    copies,
    ends,
    evaluations,
    exchanges,
    left_behind,
    losses,
    modelling,
    more_evaluations,
    more_passes,
    odd_outputs,
    optimizing,
    orders,
    other_batches,
    parts_of_evaluations,
    plain_outputs,
    sets_of_rows,
    states,
    targets,
    without_parameters,
)


def effect(value: Any) -> str:
    """A hash of all that a training leaves: numbers, by type, shape and bits."""
    digest = hashlib.sha256()

    def add(part: Any) -> None:
        if isinstance(part, Tensor):
            values = part.detach().dequantize() if part.is_quantized else part.detach()
            values = values.to_dense().contiguous().resolve_conj().resolve_neg()
            digest.update(f"{values.dtype}{tuple(values.shape)}".encode())
            flat = values.reshape(-1).to("cpu")
            digest.update(bytes(flat.view(torch.uint8).numpy()) if flat.numel() else b"")
        elif isinstance(part, Mapping):
            for name, each in part.items():
                digest.update(repr(name).encode())
                add(each)
        elif isinstance(part, Sequence) and not isinstance(part, str):
            for each in part:
                add(each)
        else:
            digest.update(repr(part).encode())

    add(value)
    return digest.hexdigest()


def left_by(pair: Pair, second: bool) -> str:
    random.seed(0)
    np.random.seed(0)
    torch.manual_seed(0)
    return effect(pair.train(second))


def observed(pair: Pair, second: bool) -> tuple[Ledger, str]:
    memory = Memory({})
    with Observer(memory, uncalled=pair.uncalled):
        left = left_by(pair, second)
    return memory.ledger, left


@pytest.mark.parametrize("name", PAIRS)
def test_a_pair_is_told_by_what_it_leaves(name: str) -> None:
    pair = PAIRS[name]
    (a, left), (again, _), (b, other) = (observed(pair, second) for second in (False, False, True))
    assert [left, other] == [left_by(pair, second) for second in (False, True)], "a run was changed"
    same = "incomparable" if pair.unseen else "identical"
    assert diff(a, again).verdict == same
    verdict = diff(a, b)
    said = "\n".join([verdict.detail, verdict.cause, *verdict.notes])
    if not pair.link:
        assert (verdict.verdict, verdict.detail) == (same, verdict.detail if pair.unseen else "")
    elif pair.unseen or pair.link == "incomparable":
        assert (left != other, verdict.verdict) == (True, "incomparable")
    else:
        assert left != other
        assert (verdict.verdict, verdict.link) == ("diverged", pair.link), said
    assert [words for words in pair.words if words not in said] == [], said
