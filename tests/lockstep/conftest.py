"""What a first step imports is imported once, before the forks."""

from dataclasses import replace

import pytest

from tests.lockstep.small_training import A


@pytest.fixture(scope="session", autouse=True)
def loaded() -> None:
    replace(A, steps=1)()
