"""What tests and benchmarks share: `pytest -m gpu`, and a slip that pytest-benchmark doesn't see.

`-m gpu` uses one CUDA device; without one it ends in one line. `--benchmark-compare tests/x.py`
takes the path for the number of a stored run, and would run everything: it ends in one line, too.
"""

import pytest


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("-m") == "gpu":
        # Imported here, since tests/conftest.py must set the hub's address before any import.
        from reference.run.environment_variables import see_one_gpu

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
