"""How a session of benchmarks stores its run, and which stored run it compares with.

    python -m pytest benchmarks --benchmark-compare

pytest-benchmark writes into a run's own file as it goes; here a run is stored whole or not at all.
Its two methods that write are replaced for that, while a session of benchmarks lasts. They were
seen in pytest-benchmark 5.3 and are named in `WRITERS` alone; `benchmarks/conftest.py` calls this.
"""

import json
from pathlib import Path
from typing import Any

import pytest
from pytest_benchmark.session import BenchmarkSession
from pytest_benchmark.storage.file import FileStorage
from pytest_benchmark.utils import get_machine_id, safe_dumps

from benchmarks.results.output_file import check_output, write_output
from benchmarks.results.stored_run import Run, check_machine, check_times, read_run
from reference.errors import InputError
from reference.process.whole_files import write_new

SCHEME = "file://"
WRITERS = FileStorage.save, BenchmarkSession.save_json  # pytest-benchmark's own


def write_whole_runs() -> None:
    """From now on a run's file is there whole, or the one that was there before is."""
    FileStorage.save, BenchmarkSession.save_json = _save, _save_json


def write_as_before() -> None:
    """pytest-benchmark writes by itself again: another session may follow in this process."""
    FileStorage.save, BenchmarkSession.save_json = WRITERS


def store_nothing_of_a_failed_run() -> None:
    """A run in which a benchmark failed isn't kept to compare with."""
    if FileStorage.save is _save:
        FileStorage.save = _refuse_failed


def store_nothing_of_a_stopped_run() -> None:
    """A run that was stopped by Ctrl-C is stored nowhere."""
    FileStorage.save = BenchmarkSession.save_json = _refuse_stopped


def storage_folder(storage: str) -> Path | None:
    """The folder of `--benchmark-storage`; None where runs go to Elasticsearch."""
    if "://" in storage and not storage.startswith(SCHEME):
        return None
    return Path(storage.removeprefix(SCHEME))


def check_options(config: pytest.Config, folder: Path | None) -> None:
    """Refuse before the measurement what pytest-benchmark would refuse after it, or never.

    Raises:
        InputError: an output that can't be written, or options that time or compare nothing.
    """
    check_output(config.getoption("benchmark_json", None))
    if config.getoption("benchmark_disable", False):
        raise InputError("--benchmark-disable: nothing would be timed; leave it out")
    if config.getoption("benchmark_compare_fail", None) and not config.getoption(
        "benchmark_compare", None
    ):
        raise InputError("--benchmark-compare-fail: compares nothing; give --benchmark-compare too")
    if config.getoption("numprocesses", None):
        raise InputError("-n: benchmarks that run at once slow each other down; leave it out")
    saving = ("benchmark_save", "benchmark_autosave", "benchmark_compare")
    if folder is not None and any(config.getoption(name, None) for name in saving):
        check_output(folder / get_machine_id() / "0001.json")


def run_to_compare_with(folder: Path, wanted: str | bool) -> tuple[Path, Run] | None:
    """The stored run that `--benchmark-compare` means.

    Args:
        folder: where runs are stored, a folder a machine.
        wanted: True for this machine's last run; else a file, or how its name begins.

    Returns:
        The file and the run; None where this machine has no run yet and the last was wanted.

    Raises:
        InputError: no such run, a damaged one, or one of another machine.
    """
    file = _stored_file(folder, wanted)
    if file is None:
        return None
    try:
        run = read_run(file)
    except InputError as error:
        raise InputError(f"--benchmark-compare: {error}, or delete that file") from error
    check_machine(file, run)
    check_times(file, run)
    return file, run


def _stored_file(folder: Path, wanted: str | bool) -> Path | None:
    here = sorted((folder / get_machine_id()).glob("[0-9]*_*.json"))
    if wanted is True:
        last: Path | None = here[-1] if here else None
        return last
    name = str(wanted)
    if Path(name).is_file():
        return Path(name)
    matching = [file for file in here if file.name.startswith(name)]
    if not matching:
        names = ", ".join(file.name for file in here) or "none"
        raise InputError(f"--benchmark-compare={wanted}: no such stored run; there are: {names}")
    chosen: Path = matching[-1]
    return chosen


def as_text(output_json: dict[str, Any]) -> str:
    """A run as pytest-benchmark writes it."""
    text: str = safe_dumps(output_json, ensure_ascii=True, indent=4)
    return text


def other_fields(ours: dict[str, Any], theirs: dict[str, Any]) -> list[str]:
    """Names of what another machine description says otherwise than ours."""
    written: dict[str, Any] = json.loads(as_text(ours))
    return [name for name in written if written[name] != theirs.get(name)]


def _save(storage: FileStorage, output_json: dict[str, Any], save: str) -> None:
    """In place of `FileStorage.save`. Where another run took the number meanwhile, the next one."""
    numbers = [file.name.split("_")[0] for file in storage.get("").glob("[0-9]*_*.json")]
    number = max((int(n) for n in numbers if n.isdecimal()), default=0) + 1
    while True:
        file = storage.get(f"{number:04}_{save}.json")
        try:
            write_new(file, as_text(output_json))
            break
        except FileExistsError:
            number += 1
        except OSError as error:
            message = f"error: {file}: can't be written ({error.strerror})"
            pytest.exit(message, returncode=InputError.exit_code)
    storage.logger.info(f"Saved benchmark data in: {file}")


def _save_json(session: BenchmarkSession, output_json: dict[str, Any]) -> None:
    """In place of `BenchmarkSession.save_json`."""
    try:
        write_output(session.json, as_text(output_json))
    except InputError as error:
        pytest.exit(f"error: {error}", returncode=InputError.exit_code)
    session.logger.info(f"Wrote benchmark data in: {session.json}", purple=True)


def _refuse_failed(*_: Any) -> None:
    print("a benchmark failed: nothing of this run is stored")


def _refuse_stopped(*_: Any) -> None:
    print("stopped: nothing of this run is stored")
