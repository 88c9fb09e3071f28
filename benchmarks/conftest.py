"""What holds for every benchmark: the rules, what is stored, and what is compared with.

    python -m pytest benchmarks --benchmark-compare

The first time there is no stored run to compare with: this one is stored. The next one compares.
"""

import os
import sys
from collections.abc import Generator, Iterator
from datetime import datetime
from typing import Any

import pytest
from pytest_benchmark.session import PerformanceRegression

from benchmarks.bounds.benchmark_rules import hold_own_bounds, missing_figures
from benchmarks.bounds.read import read_bounds
from benchmarks.results import storing
from benchmarks.results.ratios_then_and_now import ratio_lines
from benchmarks.results.stored_run import Run
from benchmarks.timing.peak_memory import forget_peak
from benchmarks.timing.progress import check_cores
from reference.errors import InputError

os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
_known: dict[str, Run] = {}  # the stored run that is compared with, by its benchmarks' names
_empty_files: list[str] = []  # that were collected and hold no benchmark


@pytest.fixture(autouse=True, scope="session")
def _quiet() -> None:
    """Libraries' bars and reports are written to a terminal, and take time."""
    from reference.run.prepare import quiet  # it imports torch, which takes seconds

    quiet()


@pytest.fixture(autouse=True)
def _as_on_a_cpu() -> Iterator[None]:
    """A run on a GPU turns deterministic algorithms on, which cost a CPU's next one operators."""
    yield
    if "torch" in sys.modules:  # else nobody has turned them on
        import torch

        torch.use_deterministic_algorithms(False)


@pytest.fixture(autouse=True)
def _own_peak() -> None:
    """The most memory is that of this benchmark, not of what ran before it."""
    forget_peak()


def pytest_collectreport(report: pytest.CollectReport) -> None:
    """Each file in `measurements` holds a benchmark; else its function isn't named as one."""
    if report.passed and report.nodeid.endswith(".py") and not report.result:
        _empty_files.append(report.nodeid)  # refused when all is collected


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Function) -> Generator[None, Any, Any]:
    """After a benchmark: it was timed, it left its surroundings, and its ratio is in its bound."""
    result = yield
    benchmark: Any = item.funcargs.get("benchmark")
    if benchmark is None or benchmark.stats is None:
        pytest.fail("nothing is timed: take the fixture `benchmark`, and call it", pytrace=False)
    if lacking := missing_figures(benchmark.extra_info):
        pytest.fail(lacking, pytrace=False)
    for line, past in hold_own_bounds(benchmark.extra_info, read_bounds().ratios):
        print(line)
        if past:
            pytest.fail(line, pytrace=False)
    return result


def pytest_configure(config: pytest.Config) -> None:
    """Before pytest-benchmark's own, which gives a warning where there is nothing to compare."""
    storing.write_whole_runs()
    _known.clear()
    _empty_files.clear()
    wanted = config.getoption("benchmark_compare", None)
    folder = storing.storage_folder(config.getoption("benchmark_storage", ""))
    try:
        check_cores()
        storing.check_options(config, folder)
        if not wanted or folder is None:
            return
        stored = storing.run_to_compare_with(folder, wanted)
    except InputError as error:
        pytest.exit(f"error: {error}", returncode=InputError.exit_code)
    if stored is not None:
        file, run = stored
        _known.update({benchmark["fullname"]: benchmark for benchmark in run["benchmarks"]})
        # By its path: else pytest-benchmark reads all that are there, or that begin so.
        config.option.benchmark_compare = str(file)
        return
    config.option.benchmark_compare = None
    config.option.benchmark_compare_fail = []  # there is nothing to be slower than
    config.option.benchmark_autosave = f"{datetime.now():%Y%m%d_%H%M%S}"
    print("--benchmark-compare: no stored run on this machine yet: this one will be stored")


def pytest_collection_finish(session: pytest.Session) -> None:
    """A name that fits no benchmark, or a stored run that has none of these, is no pass."""
    if _empty_files:
        pytest.exit(
            f"error: {', '.join(_empty_files)}: holds no benchmark; name its function test_...",
            returncode=2,
        )
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
    """Before pytest-benchmark's own, which takes another clock rate for another machine.

    `check_machine` has refused the run of another machine. What differs beside that is named.
    """
    others = storing.other_fields(machine_info, compared_benchmark["machine_info"])
    if others:
        print(f"--benchmark-compare: the stored run has another {', '.join(others)}")
    compared_benchmark["machine_info"] = machine_info


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> Generator[None, Any, Any]:
    """Around pytest-benchmark's own, which stores the run."""
    if session.testsfailed:
        storing.store_nothing_of_a_failed_run()
    theirs = session.config._benchmarksession  # type: ignore[attr-defined]
    none_timed = not any(theirs.benchmarks)  # a benchmark is true where it was timed
    if none_timed:  # nothing to compare or to write: each would be a traceback
        theirs.compare_fail, theirs.json, theirs.save, theirs.autosave = [], None, None, None
    result = yield
    options = session.config.option
    only_shown = options.collectonly or options.setupplan
    if none_timed and session.exitstatus == 0 and not only_shown:
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
    """A run that was stopped is no run to compare with."""
    storing.store_nothing_of_a_stopped_run()


def pytest_unconfigure() -> None:
    """Another session in this process writes as pytest-benchmark does."""
    storing.write_as_before()
