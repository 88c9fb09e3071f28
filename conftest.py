"""`pytest -m gpu`, of tests and benchmarks: on one CUDA device, or one line where there is none."""

import pytest


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("-m") == "gpu":
        from reference.environment import see_one_gpu  # here: the tests say first what a hub is

        see_one_gpu()


def pytest_collection_modifyitems(config: pytest.Config) -> None:
    if config.getoption("-m") == "gpu":
        import torch

        if not torch.cuda.is_available():
            pytest.exit("no CUDA device here: the tests marked gpu need one", returncode=2)
