"""Hashes and norms of tensors of any kind: the same on any number of threads."""

import gc
import math
import os
import subprocess
import sys
import threading
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from reference.observe.tensors import two_threads
from reference.observe.tensors.hashing import (
    Views,
    begin_hashes_and_norms,
    buffer_of,
    hash_tensors,
    memory_of,
)

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
    subprocess.run([sys.executable, "-c", OTHER_TYPE], check=True, timeout=600)


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
            monkeypatch.setattr(two_threads, "usable_cores", lambda cores=cores: cores)
            torch.set_num_threads(threads)
            assert both == (hash_tensors(tensors), begin_hashes_and_norms(tensors)())
    finally:
        torch.set_num_threads(before)
    # Whoever does it: here the other thread does all of it.
    results, by_the_other = two_threads.SharedWork.results, []

    def late(self: Any) -> Any:
        if self._other is not None:
            by_the_other.append(self._other.result(timeout=600))
        return results(self)

    monkeypatch.setattr(two_threads, "usable_cores", lambda: 2)
    monkeypatch.setattr(two_threads.SharedWork, "results", late)
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
    monkeypatch.setattr(two_threads, "usable_cores", lambda: 2)
    monkeypatch.setattr(two_threads, "_pools", {})
    go = threading.Event()
    two_threads._pool().submit(go.wait)  # the other thread comes to it later
    memories = [np.ones(two_threads.WORTH_IT, np.float32) for _ in range(2)]
    held = [weakref.ref(memory) for memory in memories]
    tensors = [torch.from_numpy(memory) for memory in memories]
    begin_hashes_and_norms(tensors)  # and nobody asks for the result
    for tensor in tensors:
        tensor.data = torch.zeros(1)  # gives its own storage back
    del memories, tensors, tensor
    gc.collect()
    alive = [memory() is not None for memory in held]
    go.set()  # before anything can fail: the thread is waited for as the process ends
    assert all(alive)
    two_threads._pool().submit(lambda: None).result()
    gc.collect()
    assert all(memory() is None for memory in held)


@pytest.mark.parametrize("read", [memory_of, buffer_of])
def test_a_view_of_a_tensors_bytes_holds_them(read: Callable[[torch.Tensor], memoryview]) -> None:
    """Also a slice of it, and also where the tensor is given other memory."""
    memory = np.arange(1000, dtype=np.float32)
    expected, held = memory.tobytes()[40:80], weakref.ref(memory)
    tensor = torch.from_numpy(memory)
    part = read(tensor)[40:80]
    tensor.data = torch.zeros(1)
    del memory, tensor
    gc.collect()
    assert held() is not None
    assert bytes(part) == expected
    del part
    gc.collect()
    assert held() is None


CHANGES: dict[str, Callable[[torch.Tensor], object]] = {
    "nothing": lambda tensor: None,
    "values": lambda tensor: tensor.mul_(2),
    "other memory": lambda tensor: setattr(tensor, "data", torch.ones(30, 20)),
    "its beginning": lambda tensor: setattr(tensor, "data", tensor.data[:7]),
    "its rows as columns": lambda tensor: setattr(tensor, "data", tensor.data.t()),
    "another size": lambda tensor: tensor.resize_(90, 20).fill_(1),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_tensor_that_is_read_again_is_read_as_it_is_then(change: str) -> None:
    tensor, views = torch.randn(30, 20), Views()
    begin_hashes_and_norms([tensor], views)()
    CHANGES[change](tensor)
    assert begin_hashes_and_norms([tensor], views)() == begin_hashes_and_norms([tensor])()


def test_no_gradient_is_held_once_its_step_is_over() -> None:
    tensor, views = torch.randn(30, 20), Views()
    begin_hashes_and_norms([tensor], views)()
    reference = weakref.ref(tensor)
    del tensor
    assert reference() is not None  # between a backward pass and its step
    views.clear()
    assert reference() is None
