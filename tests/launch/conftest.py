from collections.abc import Iterator

import pytest

from reference.process.workers import Starter
from tests.helpers.ranks import processes


@pytest.fixture(scope="session")
def start() -> Iterator[Starter]:
    """Starts processes that begin with all imported."""
    with processes() as starter:
        yield starter
