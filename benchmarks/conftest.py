"""The same settings for every benchmark; and what `--benchmark-compare` does on a new machine.

    python -m pytest benchmarks --benchmark-compare

The first time there is no stored run: this one is stored, and said to be. Then it compares.
pytest-benchmark writes into a run's own file as it goes; here a run is stored whole or not at all.
"""

import json
import os
from collections.abc import Generator, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from pytest_benchmark.session import BenchmarkSession, PerformanceRegression
from pytest_benchmark.storage.file import FileStorage
from pytest_benchmark.utils import get_machine_id, safe_dumps

from benchmarks.results.output_file import check_output, write_new, write_output
from benchmarks.results.ratios_then_and_now import ratio_lines
from benchmarks.results.stored_run import Run, check_machine, check_times, read_run
from benchmarks.timing.peak_memory import forget_peak
from benchmarks.timing.progress import check_cores
from reference.errors import InputError
from reference.run.prepare import quiet

os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
SCHEME = "file://"
NOTED = {"versions", "threads", "device", "platform", "peak_process_bytes"}
OF_TRAINING = {"steps", "tokens", "padding_share"}
_known: dict[str, Run] = {}  # the stored run that is compared with, by its benchmarks' names
THEIRS = FileStorage.save, BenchmarkSession.save_json


@pytest.fixture(autouse=True, scope="session")
def _quiet() -> None:
    """Libraries' bars and reports are written to a terminal, and take time."""
    quiet()


@pytest.fixture(autouse=True)
def _as_on_a_cpu() -> Iterator[None]:
    """A run on a GPU turns deterministic algorithms on, which cost a CPU's next one operators."""
    yield
    import torch

    torch.use_deterministic_algorithms(False)


@pytest.fixture(autouse=True)
def _noted(request: pytest.FixtureRequest) -> Iterator[None]:
    """A time without its surroundings says nothing: every benchmark notes them."""
    forget_peak()
    yield
    benchmark = (request.node.funcargs or {}).get("benchmark")  # none after Ctrl-C
    if benchmark is not None and benchmark.stats is not None:
        noted = set(benchmark.extra_info)
        wanted = NOTED | (OF_TRAINING if "steps" in noted else set())
        missing = sorted(wanted - noted)
        assert not missing, f"not in extra_info: {', '.join(missing)}"


def pytest_configure(config: pytest.Config) -> None:
    """Before pytest-benchmark's own, which gives a warning where there is nothing to compare."""
    FileStorage.save, BenchmarkSession.save_json = _save, _save_json
    _known.clear()
    wanted = config.getoption("benchmark_compare", None)
    folder = _folder(config.getoption("benchmark_storage", ""))
    try:
        check_cores()
        _check_options(config, folder)
        if not wanted or folder is None:
            return
        stored = _stored(folder, wanted)
        if stored is not None:
            run = _read(stored)
            check_machine(stored, run)
            check_times(stored, run)
            _known.update({benchmark["fullname"]: benchmark for benchmark in run["benchmarks"]})
            # By its path: else pytest-benchmark reads all that are there, or that begin so.
            config.option.benchmark_compare = str(stored)
    except InputError as error:
        pytest.exit(f"error: {error}", returncode=InputError.exit_code)
    if stored is None:
        config.option.benchmark_compare = None
        config.option.benchmark_compare_fail = []  # there is nothing to be slower than
        config.option.benchmark_autosave = f"{datetime.now():%Y%m%d_%H%M%S}"
        print("--benchmark-compare: no stored run on this machine yet: this one will be stored")


def _read(stored: Path) -> Run:
    try:
        return read_run(stored)
    except InputError as error:
        raise InputError(f"--benchmark-compare: {error}, or delete that file") from error


def _folder(storage: str) -> Path | None:
    """Where runs are stored; None for what is no folder (pytest-benchmark knows Elasticsearch)."""
    if "://" in storage and not storage.startswith(SCHEME):
        return None
    return Path(storage.removeprefix(SCHEME))


def _check_options(config: pytest.Config, folder: Path | None) -> None:
    """InputError for what would only be told after the measurement."""
    check_output(config.getoption("benchmark_json", None))
    if config.getoption("benchmark_disable", False):
        raise InputError("--benchmark-disable: nothing would be timed here; leave it out")
    if config.getoption("benchmark_compare_fail", None) and not config.getoption(
        "benchmark_compare", None
    ):
        raise InputError("--benchmark-compare-fail: compares nothing; give --benchmark-compare too")
    if config.getoption("numprocesses", None):
        raise InputError("-n: benchmarks beside each other time each other; leave it out")
    saved = ("benchmark_save", "benchmark_autosave", "benchmark_compare")
    if folder is not None and any(config.getoption(name, None) for name in saved):
        check_output(folder / get_machine_id() / "0001.json")


def pytest_collection_finish(session: pytest.Session) -> None:
    """What a name or a stored run leaves nothing of to measure is no pass."""
    items = [item.nodeid for item in session.items]
    if not items and not session.testsfailed:  # else a file couldn't be imported
        pytest.exit("error: no benchmark of that name; see --collect-only", returncode=2)
    missing = [name for name in items if name not in _known]
    if _known and len(missing) == len(items):
        pytest.exit(
            "error: --benchmark-compare: the stored run has none of these benchmarks; store one "
            "with --benchmark-autosave",
            returncode=2,
        )
    if _known and missing:
        print(f"--benchmark-compare: not in the stored run: {', '.join(missing)}")


@pytest.hookimpl(tryfirst=True)
def pytest_benchmark_compare_machine_info(
    machine_info: dict[str, Any], compared_benchmark: dict[str, Any]
) -> None:
    """Before pytest-benchmark's own, to which a processor's megahertz of now are another machine.

    `check_machine` has said what is another one; the rest is named, and then taken for the same.
    """
    theirs, ours = compared_benchmark["machine_info"], json.loads(_text(machine_info))
    others = [name for name in ours if ours[name] != theirs.get(name)]
    if others:
        print(f"--benchmark-compare: the stored run has another {', '.join(others)}")
    compared_benchmark["machine_info"] = machine_info


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> Generator[None, Any, Any]:
    """Around pytest-benchmark's own, which stores the run: one that failed is nothing to store."""
    if session.testsfailed and FileStorage.save is _save:
        FileStorage.save = _failed
    found = session.config._benchmarksession.benchmarks  # type: ignore[attr-defined]
    none = not any(benchmark for benchmark in found)  # true for one that was timed
    if none:  # nothing to compare or to write: each would be a traceback
        theirs = session.config._benchmarksession  # type: ignore[attr-defined]
        theirs.compare_fail, theirs.json, theirs.save, theirs.autosave = [], None, None, None
    result = yield
    options = session.config.option
    only_shown = options.collectonly or options.setupplan
    if none and session.exitstatus == 0 and not only_shown:
        pytest.exit("error: zero benchmarks were run: each was left out", returncode=2)
    return result


@pytest.hookimpl(wrapper=True)
def pytest_terminal_summary(config: pytest.Config) -> Generator[None, Any, Any]:
    """After the tables: the ratios then and now; a regression is one line, and exit code 1."""
    try:
        return (yield)
    except PerformanceRegression as error:
        pytest.exit(f"error: {error} See above; the stored run is as it was", returncode=1)
    finally:
        timed = [b for b in config._benchmarksession.benchmarks if b]  # type: ignore[attr-defined]
        for line in ratio_lines(_known, {b.fullname: b.extra_info for b in timed}):
            print(line)


def pytest_keyboard_interrupt() -> None:
    """A run that was broken off is no run to compare with: nothing of it is stored."""
    FileStorage.save = BenchmarkSession.save_json = _not_whole


def _not_whole(*_: Any) -> None:
    print("stopped: nothing of this run is stored")


def _failed(*_: Any) -> None:
    print("a benchmark failed: nothing of this run is stored")


def pytest_unconfigure() -> None:
    """Another session in this process is pytest-benchmark's own again."""
    FileStorage.save, BenchmarkSession.save_json = THEIRS


def _stored(folder: Path, wanted: str | bool) -> Path | None:
    """The run to compare with: the machine's last one, or the one that was named."""
    here = sorted((folder / get_machine_id()).glob("[0-9]*_*.json"))
    if wanted is True:
        return here[-1] if here else None
    name = str(wanted)
    named = [Path(name)] if Path(name).is_file() else []
    found = named or [file for file in here if file.name.startswith(name)]
    if not found:
        names = ", ".join(file.name for file in here) or "none"
        raise InputError(f"--benchmark-compare={wanted}: no such stored run; there are: {names}")
    return found[-1]


def _save(storage: FileStorage, output_json: dict[str, Any], save: str) -> None:
    """In place of `FileStorage.save` (pytest-benchmark 5.3): the same file, whole or not there.

    Where another run has taken its name meanwhile, the next number's.
    """
    numbers = [file.name.split("_")[0] for file in storage.get("").glob("[0-9]*_*.json")]
    number = max((int(n) for n in numbers if n.isdecimal()), default=0) + 1
    while True:
        file = storage.get(f"{number:04}_{save}.json")
        try:
            write_new(file, _text(output_json))
            break
        except FileExistsError:
            number += 1
        except OSError as error:
            said = f"error: {file}: can't be written ({error.strerror})"
            pytest.exit(said, returncode=InputError.exit_code)
    storage.logger.info(f"Saved benchmark data in: {file}")


def _save_json(session: BenchmarkSession, output_json: dict[str, Any]) -> None:
    """In place of `BenchmarkSession.save_json`: whole, or the file that was there before."""
    try:
        write_output(session.json, _text(output_json))
    except InputError as error:
        pytest.exit(f"error: {error}", returncode=InputError.exit_code)
    session.logger.info(f"Wrote benchmark data in: {session.json}", purple=True)


def _text(output_json: dict[str, Any]) -> str:
    """As pytest-benchmark writes it."""
    text: str = safe_dumps(output_json, ensure_ascii=True, indent=4)
    return text
