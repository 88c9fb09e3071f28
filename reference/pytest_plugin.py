"""The pytest plugin: a fixture with which somebody tests a training loop of their own.

    python -m pytest --fixtures -p reference.pytest_plugin

pytest finds it by itself where this package is installed. It imports nothing but pytest before a
test asks for the fixture: whoever doesn't use it pays nothing for it.
"""

from collections.abc import Callable

import pytest


@pytest.fixture(scope="session")
def same_run() -> Callable[..., None]:
    """`same_run(loop)` fails unless `loop` trains as the recipe does, and says where it doesn't.

    It is `reference.testing.assert_same_run`; see there for what a loop may ask for by name.
    """
    from reference.testing import assert_same_run

    return assert_same_run


@pytest.fixture(scope="session")
def same_training() -> Callable[..., None]:
    """`same_training(mine, theirs)` fails unless two trainings differ in their seeds alone.

    It is `reference.testing.assert_same_training`; see there for what it takes.
    """
    from reference.testing.same_training import assert_same_training

    return assert_same_training
