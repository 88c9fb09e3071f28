"""`pytest -m gpu`, of tests and benchmarks: on one CUDA device, or one line where there is none.

And one line where `--benchmark-compare` has taken what was to be run for a stored run's number.
"""

import pytest


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("-m") == "gpu":
        from reference.run.environment_variables import (
            see_one_gpu,  # here: the tests say first what a hub is
        )

        see_one_gpu()
    compared = config.getoption("benchmark_compare", None)
    if isinstance(compared, str) and compared:
        path = config.invocation_params.dir / compared.split("::")[0]
        if path.is_dir() or path.suffix == ".py":
            said = f"--benchmark-compare {compared}: that is no stored run; put it before"
            pytest.exit(f"error: {said}: pytest {compared} --benchmark-compare", returncode=2)


def pytest_collection_modifyitems(config: pytest.Config) -> None:
    if config.getoption("-m") == "gpu":
        import torch

        if not torch.cuda.is_available():
            pytest.exit("no CUDA device here: the tests marked gpu need one", returncode=2)
