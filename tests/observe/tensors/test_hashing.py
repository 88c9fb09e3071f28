"""Hashes and norms of tensors of any kind: the same on any number of threads."""

import gc
import math
import os
import subprocess
import sys
import threading
import weakref
from typing import Any

import numpy as np
import pytest
import torch

from reference.observe.tensors import two_threads
from reference.observe.tensors.hashing import begin_hashes_and_norms, hash_tensors
from tests.helpers.waiting import LIMIT

SPARSE = torch.sparse_coo_tensor(
    [[0, 2], [1, 0]], [3.0, 4.0], (3, 2), check_invariants=True
).coalesce()
OF_ANY_KIND = {  # for one test each, which may change them
    "empty": torch.zeros(0),
    "one value": torch.tensor(-3.0),
    "not contiguous": torch.randn(300, 200).t(),
    "requires grad": torch.randn(20_000, requires_grad=True),
    "bfloat16": torch.randn(5, 70_000).bfloat16(),
    "float16": torch.randn(9).half(),
    "float64": torch.randn(100_000, dtype=torch.float64),
    "complex": torch.randn(10_000, dtype=torch.complex64),
    "conjugate": torch.randn(70_000, dtype=torch.complex128).conj(),
    "negative": torch.randn(9, dtype=torch.complex64).conj().imag,
    "sparse": SPARSE,
    "too large to square": torch.full((20_000,), 1e25),
    "too small to square": torch.full((20_000,), 1e-30),
}


@pytest.mark.parametrize("kind", OF_ANY_KIND)
def test_hash_and_norm_of_any_kind(kind: str) -> None:
    tensor = OF_ANY_KIND[kind]
    with np.errstate(all="raise"):  # as a script may have it
        ((hash_, norm),) = begin_hashes_and_norms([tensor])()
    assert [hash_] == hash_tensors([tensor])
    values = tensor.detach().to_dense().resolve_conj().resolve_neg()
    if kind.startswith("too"):  # float32's squares are
        assert norm == (math.inf if "large" in kind else 0.0)
    else:
        wide = values.to(torch.complex128 if values.is_complex() else torch.float64)
        assert norm == pytest.approx(float(torch.linalg.vector_norm(wide)), rel=1e-5)
    if not (tensor.requires_grad or tensor.is_sparse or tensor.is_conj() or tensor.is_neg()):
        tensor.resize_(2 * tensor.numel() + 1)  # a script may still do that


OTHER_TYPE = """
import torch
from reference.observe.tensors.hashing import hash_tensors, begin_hashes_and_norms
tensors = [torch.randn(7_000_000).bfloat16() for _ in range(4)]
assert [hash_ for hash_, _ in begin_hashes_and_norms(tensors)()] == hash_tensors(tensors)
"""


def test_large_tensors_of_another_type_are_hashed_in_their_shares() -> None:
    """In a process of its own: two shares once waited for each other for ever."""
    subprocess.run([sys.executable, "-c", OTHER_TYPE], check=True, timeout=LIMIT)


NORMS = """
import torch
from reference.observe.tensors.hashing import begin_hashes_and_norms
torch.manual_seed(0)
tensors = [torch.randn(n) for n in (100, 20_000, 3_000_000)]
print([norm for _, norm in begin_hashes_and_norms(tensors)()])
"""


def test_norms_are_the_same_whatever_threads_blas_has() -> None:
    printed = set()
    for threads in ("1", "2"):
        names = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS")
        environment = {**os.environ, **dict.fromkeys(names, threads)}
        printed.add(subprocess.check_output([sys.executable, "-c", NORMS], env=environment))
    assert len(printed) == 1


def test_large_tensors_are_hashed_alike_on_any_number_of_threads(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tensors = [torch.randn(3_000_000), torch.randn(5), None, torch.randn(2000, 700)]
    both = hash_tensors(tensors), begin_hashes_and_norms(tensors)()
    before = torch.get_num_threads()
    try:
        for cores, threads in ((2, 2), (2, 1), (1, 2), (1, 1)):
            monkeypatch.setattr(two_threads, "cores", lambda cores=cores: cores)
            torch.set_num_threads(threads)
            assert both == (hash_tensors(tensors), begin_hashes_and_norms(tensors)())
    finally:
        torch.set_num_threads(before)
    # Whoever does it: here the other thread does all of it.
    results, by_the_other = two_threads.Shared.results, []

    def late(self: Any) -> Any:
        if self._other is not None:
            by_the_other.append(self._other.result(timeout=LIMIT))
        return results(self)

    monkeypatch.setattr(two_threads, "cores", lambda: 2)
    monkeypatch.setattr(two_threads.Shared, "results", late)
    assert both == (hash_tensors(tensors), begin_hashes_and_norms(tensors)())
    assert len(by_the_other) == 2
    assert [h for h, _ in both[1]] == both[0]
    for (_, norm), tensor in zip(both[1], tensors, strict=True):
        expected = 0.0 if tensor is None else float(tensor.double().norm())
        assert norm == pytest.approx(expected, rel=1e-5)
    one = tensors[0].clone()
    one[2_999_999] = -one[2_999_999]
    assert hash_tensors([one])[0] != both[0][0]


def test_what_is_still_read_is_held(monkeypatch: pytest.MonkeyPatch) -> None:
    """A step that raised forgets what another thread reads, which then mustn't be given back."""
    monkeypatch.setattr(two_threads, "cores", lambda: 2)
    monkeypatch.setattr(two_threads, "_pools", {})
    go = threading.Event()
    two_threads._pool().submit(go.wait)  # the other thread comes to it later
    tensors = [torch.ones(two_threads.WORTH_IT) for _ in range(2)]
    held = [weakref.ref(tensor) for tensor in tensors]
    begin_hashes_and_norms(tensors)  # and nobody asks for the result
    for tensor in tensors:
        tensor.data = torch.zeros(1)  # gives its own storage back
    del tensors, tensor
    gc.collect()
    alive = [one() is not None for one in held]
    go.set()  # before anything can fail: the thread is waited for as the process ends
    assert all(alive)
    two_threads._pool().submit(lambda: None).result()
    gc.collect()
    assert all(one() is None for one in held)


def test_what_lay_at_an_address_before_is_not_what_lies_there_now() -> None:
    for value in (1.0, 2.0, 3.0):  # mostly at the same address, one after another
        tensor = torch.full((300_000,), value)
        ((hash_, norm),) = begin_hashes_and_norms([tensor])()
        assert [hash_] == hash_tensors([tensor])
        assert norm == pytest.approx(value * 300_000**0.5, rel=1e-5)
        del tensor
