"""Writes a run's results into `benchmarks/README.md`, with a plot.

    python -m pytest benchmarks --benchmark-json run.json
    python -m pytest benchmarks -m slow --benchmark-json slow.json
    python -m benchmarks.pair manual --checkpoint minilm --json pair.json
    python -m benchmarks.report run.json slow.json pair.json

The first run is needed; others of the same machine and versions, and pairs, stand beside it. One
section for each machine, date and versions; a run of the same three replaces its section.
"""

import argparse
import hashlib
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks.measured import NOISE
from benchmarks.pairs import Ratio
from benchmarks.parts import footing, table
from benchmarks.plot import draw
from benchmarks.stored import Run, as_ratio, check_run, read_json
from benchmarks.written import check_output, write_output
from reference.ended import ended
from reference.errors import InputError
from reference.loops import LOOPS

FIGURES = {
    "epoch_seconds": "epoch {:.2f} s",
    "evaluation_seconds": "evaluation {:.2f} s",
    "rows_a_second": "{:,.0f} rows a second",
    "batches_a_second": "{:,.0f} batches a second",
}
PAGE = Path(__file__).with_name("README.md")
BEGIN = "<!-- results: written by `python -m benchmarks.report`, newest first -->\n"


def main(arguments: Sequence[str] | None = None) -> int:
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
        plot = page.with_name(_plot_name(run, measured))
        text = new_page(text, run, measured, pairs, plot.name)
        picture = draw(measured)
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
        what = f"{', '.join(map(str, files))}: damaged ({type(error).__name__}: {error})"
        raise InputError(f"{what}; run the benchmarks again") from error
    check_output(plot)
    write_output(plot, picture)
    write_output(page, text)
    names = ", ".join(extra["checkpoint"] for extra in measured)
    print(f"{page}: {names} in turn, {len(pairs)} pairs, of {len(files)} files")
    return 0


def read_all(files: Sequence[Path]) -> tuple[Run, list[dict[str, Any]]]:
    """The runs as one, and what `benchmarks.pair` wrote.

    InputError for a file that is neither, for one that is given twice, and for one of another
    machine or of other versions.
    """
    if len({file.resolve() for file in files}) < len(files):
        raise InputError(f"{', '.join(map(str, files))}: one is given twice; give each once")
    runs: list[Run] = []
    pairs: list[dict[str, Any]] = []
    places: list[tuple[Any, ...]] = []
    processors: set[Any] = set()
    for file in files:
        found = read_json(file)
        if isinstance(found, dict) and "pair" in found:
            pairs.append(found)
            places.append(_where(found))
            processors.add(found.get("processor"))
        else:
            runs.append(check_run(file, found))
            places.append(_where(runs[-1]["benchmarks"][0]["extra_info"]))
            processors.add(_cpu(runs[-1]).get("brand_raw"))
        if places[-1] != places[0] or len(processors - {None}) > 1:
            raise InputError(
                f"{file}: of another machine or of other versions than {files[0]}; report it alone"
            )
    if not runs:
        raise InputError(f"{files[0]}: pairs alone; give a run of `pytest benchmarks` first")
    benchmarks = [one for run in runs for one in run["benchmarks"]]
    return {**runs[0], "benchmarks": benchmarks}, pairs


def _where(extra: dict[str, Any]) -> tuple[Any, ...]:
    fields = ("platform", "versions", "threads", "device")
    return tuple(extra.get(field) for field in fields)


def _measured(path: Path, run: Run) -> list[dict[str, Any]]:
    """What was measured in turn, by checkpoint."""
    found = [b["extra_info"] for b in run["benchmarks"] if "share_of_peak" in b["extra_info"]]
    if not found:
        raise InputError(f"{path}: no loop was measured in turn; run `pytest benchmarks` whole")
    return found


def _cpu(run: Run) -> dict[str, Any]:
    cpu: dict[str, Any] = run["machine_info"].get("cpu") or {}
    return cpu


def _slug(run: Run, measured: Sequence[dict[str, Any]]) -> str:
    name = _processor(run, measured)
    return "-".join("".join(c if c.isalnum() else " " for c in name).split()).lower()[:60]


def _plot_name(run: Run, measured: Sequence[dict[str, Any]]) -> str:
    """By machine, date and versions, as the section is."""
    versions = hashlib.sha256(_versions(measured).encode()).hexdigest()[:6]
    return f"{_title(run, measured)[:10]}-{_slug(run, measured)}-{versions}.png"


def _versions(measured: Sequence[dict[str, Any]]) -> str:
    """The line below a section's title."""
    first = measured[0]
    versions = ", ".join(f"{name} {v}" for name, v in first["versions"].items())
    return f"{versions}; threads: {first['threads']}."


def _processor(run: Run, measured: Sequence[dict[str, Any]]) -> str:
    """The GPU's name where the steps were a GPU's."""
    device = str(measured[0]["device"])
    return str(_cpu(run).get("brand_raw", "cpu")) if device == "cpu" else device


def _title(run: Run, measured: Sequence[dict[str, Any]]) -> str:
    day = str(run.get("datetime", ""))[:10]
    if not re.fullmatch(r"\d{4}-\d\d-\d\d", day):
        raise ValueError(f"datetime: {day!r} is no date")
    return f"{day}, {_processor(run, measured)}, {_cpu(run).get('count', '?')} cores"


def section(
    run: Run, measured: Sequence[dict[str, Any]], pairs: Sequence[dict[str, Any]], plot: str
) -> str:
    """The results of one run as Markdown."""
    lines = [f"### {_title(run, measured)}", "", _versions(measured), ""]
    for extra in measured:
        noise = as_ratio(extra["noise"])
        peak = extra["matrix_product_peak"] / 1e9
        lines += [
            f"**{extra['checkpoint']}**: {extra['steps']} steps of each, in turn. Bare step "
            f"against itself: {noise}{_how_wide(noise)}. Matrix products at best: "
            f"{peak:.0f} GFLOP/s.",
            "",
            "| | ms a step | by the bare step | and without the data | of the peak |",
            "| --- | --- | --- | --- | --- |",
            f"| bare step | {extra['step_ms']['bare']:.1f} | 1 | | "
            f"{extra['share_of_peak']['bare']:.0%} |",
        ]
        for loop in LOOPS:
            step, own = (
                as_ratio(extra["ratios"][f"{extra['checkpoint']}-{loop}-{link}"])
                for link in ("step", "loop")
            )
            lines.append(
                f"| {loop} | {extra['step_ms'][loop]:.1f} | {step} | {own} | "
                f"{extra['share_of_peak'][loop]:.0%} |"
            )
        lines.append("")
    lines += [*_pairs(pairs), *_parts(run), *_others(run), f"![what each loop adds]({plot})", ""]
    return "\n".join(lines)


def _how_wide(noise: Ratio) -> str:
    return "" if noise.width <= NOISE else f", wider than {NOISE:.0%}: a noisy machine"


def _pairs(pairs: Sequence[dict[str, Any]]) -> list[str]:
    """One loop and the bare step, nobody else: where parts in a thousand are settled."""
    if not pairs:
        return []
    lines = [
        "**One loop beside the bare step**, nobody else, in ABBA:",
        "",
        "| | by the bare step | rounds, pairs | bare step against itself |",
        "| --- | --- | --- | --- |",
    ]
    for pair in pairs:
        ((_, row),) = pair["ratios"].items()
        found, noise = as_ratio(row), as_ratio(pair["noise"])
        counted = f"{found.rounds}, {found.pairs}"
        lines.append(f"| {pair['pair']} | {found} | {counted} | {noise}{_how_wide(noise)} |")
    return [*lines, ""]


def _parts(run: Run) -> list[str]:
    """Where the Trainer's time goes, and the other loops', by checkpoint."""
    lines: list[str] = []
    for extra in (b["extra_info"] for b in run["benchmarks"] if "parts" in b["extra_info"]):
        parts = extra["parts"]
        lines += [
            f"**{extra['checkpoint']}: where the Trainer's time goes**, and the other loops', by "
            f"medians of {parts['steps']} steps of each, in turn. In brackets: of the bare step.",
            "",
            *table(parts),
            "",
            *(f"- {line}" for line in footing(parts)),
            "",
        ]
    return lines


def _others(run: Run) -> list[str]:
    """What was timed by itself: a rough size, since times drift where ratios don't."""
    rows = [
        (str(b["name"]), float(b["stats"]["min"]), ", ".join(_figures(b["extra_info"])))
        for b in run["benchmarks"]
        if not {"in_turn", "share_of_peak", "parts"} & set(b["extra_info"]) and "stats" in b
    ]
    if not rows:
        return []
    lines = ["| timed by itself (a rough size) | seconds | of that, or by that |"]
    lines.append("| --- | --- | --- |")
    return [*lines, *(f"| `{name}` | {time:.2f} | {more} |" for name, time, more in rows), ""]


def _figures(extra: dict[str, Any]) -> Iterator[str]:
    """What a benchmark found beside its own time."""
    for name, words in FIGURES.items():
        if name in extra:
            yield words.format(extra[name])
    for row in extra.get("ratios", {}).values():
        yield f"observed by plain {as_ratio(row)}"


def _text_of(page: Path) -> str:
    """InputError for a page that can't be read, or has no place for results."""
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
    """The page's text with the section among its results, the newest first."""
    before, mark, after = text.partition(BEGIN)
    head = f"### {_title(run, measured)}\n\n{_versions(measured)}\n"
    sections = ["### " + part for part in ("\n" + after).split("\n### ")[1:]]
    kept = [part.rstrip() for part in sections if not part.startswith(head)]
    new = section(run, measured, pairs, plot).rstrip()
    ordered = sorted([new, *kept], key=lambda part: part[: len("### 2026-11-26")], reverse=True)
    return before + mark + "\n" + "\n\n".join(ordered) + "\n"


if __name__ == "__main__":
    sys.exit(main())
