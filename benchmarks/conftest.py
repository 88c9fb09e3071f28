"""The same settings for every benchmark; and what `--benchmark-compare` does on a new machine.

    python -m pytest benchmarks --benchmark-compare

The first time there is no stored run: this one is stored, and said to be. Then it compares.
"""

import os
from datetime import datetime
from pathlib import Path

import pytest
from pytest_benchmark.utils import get_machine_id

from benchmarks.stored import check_machine, read_run
from reference.errors import InputError
from reference.run import quiet

os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
SCHEME = "file://"


@pytest.fixture(autouse=True, scope="session")
def _quiet() -> None:
    """Libraries' bars and reports are written to a terminal, and take time."""
    quiet()


def pytest_configure(config: pytest.Config) -> None:
    """Before pytest-benchmark's own, which gives a warning where there is nothing to compare."""
    wanted = config.getoption("benchmark_compare", None)
    storage = config.getoption("benchmark_storage", "")
    if not wanted or not storage.startswith(SCHEME):
        return
    try:
        stored = _stored(Path(storage.removeprefix(SCHEME)), wanted)
        if stored is not None:
            check_machine(stored, read_run(stored))
    except InputError as error:
        pytest.exit(f"error: {error}", returncode=InputError.exit_code)
    if stored is None:
        config.option.benchmark_compare = None
        config.option.benchmark_autosave = f"{datetime.now():%Y%m%d_%H%M%S}"
        print("--benchmark-compare: no stored run on this machine yet: this one will be stored")


def _stored(folder: Path, wanted: str | bool) -> Path | None:
    """The run to compare with: the machine's last one, or the one that was named."""
    here = sorted((folder / get_machine_id()).glob("[0-9]*_*.json"))
    if wanted is True:
        return here[-1] if here else None
    named = [Path(wanted)] if Path(wanted).is_file() else []
    found = named or [file for file in here if file.name.startswith(str(wanted))]
    if not found:
        names = ", ".join(file.name for file in here) or "none"
        raise InputError(f"--benchmark-compare={wanted}: no such stored run; there are: {names}")
    return found[-1]
