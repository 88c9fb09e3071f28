"""A stored run: the JSON that pytest-benchmark writes, read with care."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pytest_benchmark.plugin import pytest_benchmark_generate_machine_info as machine_info

from benchmarks.bounds.read import Bound, Exact
from benchmarks.timing.paired_ratio import Ratio
from reference.errors import InputError

Run = dict[str, Any]
TIMES = ("min", "max", "mean", "median", "stddev", "iqr", "rounds", "iterations", "ops")


def read_json(path: Path) -> Any:
    """What a file holds.

    Raises:
        InputError: it can't be read, or isn't JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf8"))
    except OSError as error:
        raise InputError(f"{path}: can't be read ({error.strerror}); give a run's JSON") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: damaged ({error}); run the benchmarks again") from error


def read_run(path: Path) -> Run:
    """The run that `pytest benchmarks --benchmark-json PATH` wrote.

    Raises:
        InputError: the file is none.
    """
    return check_run(path, read_json(path))


def check_run(path: Path, run: Any) -> Run:
    """What was read from `path`, as a run.

    Raises:
        InputError: it is none.
    """
    benchmarks = run.get("benchmarks") if isinstance(run, dict) else None
    info = run.get("machine_info") if isinstance(run, dict) else None
    if not isinstance(benchmarks, list) or not isinstance(info, dict):
        raise InputError(f"{path}: not a run of pytest-benchmark; give what --benchmark-json wrote")
    if not benchmarks:
        raise InputError(f"{path}: zero benchmarks were run; run `pytest benchmarks`")
    if not isinstance(info.get("cpu", {}), dict):
        raise InputError(f"{path}: machine_info.cpu: {info['cpu']!r}; the file is damaged")
    for number, benchmark in enumerate(benchmarks, 1):
        if not isinstance(benchmark, dict) or not isinstance(benchmark.get("extra_info"), dict):
            raise InputError(f"{path}: benchmark {number}: no extra_info; the file is damaged")
    known: Run = run
    return known


def check_times(path: Path, run: Run) -> None:
    """Whether pytest-benchmark can compare with a run: else it would end in a traceback.

    Raises:
        InputError: a name is missing, or a time is no number.
    """
    for number, benchmark in enumerate(run["benchmarks"], 1):
        where, stats = f"{path}: benchmark {number}", benchmark.get("stats")
        if not isinstance(benchmark.get("fullname"), str) or not isinstance(stats, dict):
            raise InputError(f"{where}: no fullname or no stats; the file is damaged")
        if not isinstance(stats.get("outliers"), str):
            raise InputError(f"{where}: stats.outliers: not two numbers; the file is damaged")
        for name in TIMES:
            if not isinstance(stats.get(name), int | float):
                raise InputError(
                    f"{where}: stats.{name}: {stats.get(name)!r} is no number; the file is damaged"
                )


def check_machine(path: Path, run: Run) -> None:
    """Whether a run is this machine's: the times of another processor say nothing here.

    Raises:
        InputError: it is another's; the message names the field that differs.
    """
    theirs, ours = (info.get("cpu") or {} for info in (run["machine_info"], machine_info()))
    for field in ("brand_raw", "arch", "family", "model", "count"):
        if theirs.get(field) != ours.get(field):
            raise InputError(
                f"{path}: machine_info.cpu.{field}: {theirs.get(field)!r}, and {ours.get(field)!r} "
                "here: another machine's run; run `pytest benchmarks --benchmark-autosave` here"
            )


def stored_ratios(
    path: Path, run: Run, bounds: Sequence[Bound]
) -> tuple[dict[str, Ratio], Ratio | None]:
    """The ratios that bounds are about, as far as a run has them, and their A/A.

    Raises:
        InputError: the run has no ratio at all, or a damaged one.
    """
    ratios: dict[str, Ratio] = {}
    noise = None
    checkpoints = {b.checkpoint for b in bounds}
    for benchmark in run["benchmarks"]:
        extra = benchmark["extra_info"]
        for name, row in _table(path, extra, "ratios").items():
            ratios[name] = _ratio(path, name, row)
        if "noise" in extra and extra.get("checkpoint") in checkpoints:
            noise = _ratio(path, "noise", extra["noise"])
    if not ratios:
        raise InputError(f"{path}: none of its benchmarks has a ratio; run `pytest benchmarks`")
    names = {b.name for b in bounds} | {b.data for b in bounds if b.of_data}
    return {name: ratio for name, ratio in ratios.items() if name in names}, noise


def stored_counts(path: Path, run: Run, bounds: Sequence[Exact]) -> dict[str, int]:
    """The counts that bounds are about, as far as a run has them.

    Raises:
        InputError: a count isn't a whole number.
    """
    names = {b.name for b in bounds}
    counts: dict[str, int] = {}
    for benchmark in run["benchmarks"]:
        for name, number in _table(path, benchmark["extra_info"], "counts").items():
            if type(number) is not int:
                raise InputError(f"{path}: count {name}: {number!r} isn't a whole number")
            if name in names:
                counts[name] = number
    return counts


def _table(path: Path, extra: dict[str, Any], name: str) -> dict[str, Any]:
    table = extra.get(name, {})
    if not isinstance(table, dict):
        raise InputError(f"{path}: extra_info.{name}: no table of names; the file is damaged")
    return table


def _ratio(path: Path, name: str, row: Any) -> Ratio:
    try:
        return as_ratio(row)
    except (TypeError, ValueError) as error:
        raise InputError(f"{path}: ratio {name}: damaged ({error})") from error


def as_ratio(row: Any) -> Ratio:
    """A ratio from what was stored of it.

    Raises:
        TypeError: fields are missing or unknown, or no numbers.
        ValueError: the interval doesn't hold its median.
    """
    ratio = Ratio(**row)
    if not 0 < ratio.low <= ratio.median <= ratio.high < float("inf"):
        raise ValueError("the interval doesn't hold its median")
    return ratio
