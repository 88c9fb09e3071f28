"""Writes a run's results into `benchmarks/README.md`, with a plot.

    python -m pytest benchmarks --benchmark-json run.json
    python -m pytest benchmarks -m slow --benchmark-json slow.json
    python -m benchmarks.pair manual --checkpoint minilm --json pair.json
    python -m benchmarks.report run.json slow.json pair.json

The first run is needed. Other runs of the same machine and versions, and pairs, stand beside it. Of
a benchmark that several runs have, the first run's is shown. There is one section for each
machine, date and versions; a run of the same three replaces its section.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.results.output_file import check_output, write_output
from benchmarks.results.plot import draw
from benchmarks.results.readme_section import cpu_of, heading, plot_name, section
from benchmarks.results.stored_run import Run, check_run, read_json
from reference.errors import InputError
from reference.process.exit_codes import ended

PAGE = Path(__file__).with_name("README.md")
BEGIN = "<!-- results: written by `python -m benchmarks.report`, newest first -->\n"


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the section and its plot; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.report")
    parser.add_argument("runs", type=Path, nargs="+", metavar="RUN.json")
    parser.add_argument("--page", type=Path, default=PAGE, metavar="FILE")
    args = parser.parse_args(arguments)
    return ended(lambda: _command(args.runs, args.page))


def _command(files: Sequence[Path], page: Path) -> int:
    run, pairs = read_all(files)
    measured = _measured(files[0], run)
    text = _text_of(page)
    try:
        plot = page.with_name(plot_name(run, measured))
        replaced = heading(run, measured) in text
        text = new_page(text, run, measured, pairs, plot.name)
        picture = draw(measured)
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
        what = f"{', '.join(map(str, files))}: damaged ({type(error).__name__}: {error})"
        raise InputError(f"{what}; run the benchmarks again") from error
    check_output(plot)
    write_output(plot, picture)
    write_output(page, text)
    names = ", ".join(extra["checkpoint"] for extra in measured)
    instead = " in place of the section that was there" if replaced else ""
    print(f"{page}: {names} in turn, {len(pairs)} pairs, of {len(files)} files{instead}")
    return 0


def read_all(files: Sequence[Path]) -> tuple[Run, list[dict[str, Any]]]:
    """The runs as one run, and what `benchmarks.pair` wrote.

    Raises:
        InputError: a file is neither, is given twice, or is another machine's or of other versions.
    """
    if len({file.resolve() for file in files}) < len(files):
        raise InputError(f"{', '.join(map(str, files))}: a file is given twice; give each once")
    runs: list[Run] = []
    pairs: list[dict[str, Any]] = []
    places: list[tuple[Any, ...]] = []
    processors: set[Any] = set()
    for file in files:
        content = read_json(file)
        if isinstance(content, dict) and "pair" in content:
            pairs.append(content)
            places.append(_where(content))
            processors.add(content.get("processor"))
        else:
            runs.append(_with_names(file, check_run(file, content)))
            places.append(_where(runs[-1]["benchmarks"][0]["extra_info"]))
            processors.add(cpu_of(runs[-1]).get("brand_raw"))
        if places[-1] != places[0] or len(processors - {None}) > 1:
            raise InputError(
                f"{file}: of another machine or of other versions than {files[0]}; report it alone"
            )
    if not runs:
        raise InputError(f"{files[0]}: pairs alone; give a run of `pytest benchmarks` first")
    benchmarks: dict[str, Any] = {}
    for run in runs:
        for benchmark in run["benchmarks"]:
            benchmarks.setdefault(benchmark["name"], benchmark)
    return {**runs[0], "benchmarks": list(benchmarks.values())}, pairs


def _with_names(file: Path, run: Run) -> Run:
    for number, benchmark in enumerate(run["benchmarks"], 1):
        if not isinstance(benchmark.get("name"), str):
            raise InputError(f"{file}: benchmark {number}: no name; the file is damaged")
    return run


def _where(extra: dict[str, Any]) -> tuple[Any, ...]:
    fields = ("platform", "versions", "threads", "device")
    return tuple(extra.get(field) for field in fields)


def _measured(path: Path, run: Run) -> list[dict[str, Any]]:
    """The `extra_info` of the loops in turn, one for each checkpoint."""
    in_turn = [b["extra_info"] for b in run["benchmarks"] if "share_of_peak" in b["extra_info"]]
    if not in_turn:
        raise InputError(f"{path}: no loop was measured in turn; run `pytest benchmarks` whole")
    return in_turn


def _text_of(page: Path) -> str:
    """The page, where it can be read and has a place for results."""
    try:
        text = page.read_text(encoding="utf8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{page}: can't be read ({error}); put it back") from error
    if BEGIN not in text:
        raise InputError(f"{page}: the line {BEGIN.strip()} is missing; put it back")
    return text


def new_page(
    text: str,
    run: Run,
    measured: Sequence[dict[str, Any]],
    pairs: Sequence[dict[str, Any]],
    plot: str,
) -> str:
    """The page with the run's section among its results, the newest first.

    Args:
        text: the page as it is.
        run: pytest-benchmark's.
        measured: the `extra_info` of the loops in turn, one for each checkpoint.
        pairs: what `benchmarks.pair` wrote.
        plot: the picture's file name.
    """
    before, mark, after = text.partition(BEGIN)
    head = heading(run, measured)
    sections = ["### " + part for part in ("\n" + after).split("\n### ")[1:]]
    kept = [part.rstrip() for part in sections if not part.startswith(head)]
    new = section(run, measured, pairs, plot).rstrip()
    ordered = sorted([new, *kept], key=lambda part: part[: len("### 2026-11-26")], reverse=True)
    return before + mark + "\n" + "\n\n".join(ordered) + "\n"


if __name__ == "__main__":
    sys.exit(main())
