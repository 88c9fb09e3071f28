"""The comparison's own decisions: how many loops at once, and what its words and codes are."""

import pytest

from reference import compare
from reference.compare import default_jobs
from reference.loops import LOOPS
from reference.recipe import Recipe


@pytest.mark.parametrize(
    ("device", "gpu", "threads", "cores", "jobs"),
    [
        ("cpu", True, 1, 2, 3),  # one thread each: all at once, on any number of cores
        ("cpu", True, 2, 2, 1),
        ("cpu", False, 2, 4, 2),
        ("cpu", False, 2, 64, 3),
        ("cpu", False, 8, 2, 1),
        ("auto", False, 1, 2, 3),
        ("auto", False, 2, 2, 1),  # no GPU: as on a CPU
        ("auto", False, 2, 4, 2),
        ("auto", True, 1, 64, 1),  # a GPU is for one loop at a time
        ("cuda", False, 1, 64, 1),
    ],
)
def test_default_jobs(
    device: str, gpu: bool, threads: int, cores: int, jobs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compare, "_may_have_gpu", lambda: gpu)
    monkeypatch.setattr(compare.os, "sched_getaffinity", lambda _: set(range(cores)), raising=False)
    assert default_jobs(Recipe(device=device, num_threads=threads)) == jobs <= len(LOOPS)
