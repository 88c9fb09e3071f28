"""The section of a run in `benchmarks/README.md`: its machine and versions, and what was measured.

`measured` is throughout the `extra_info` of the loops in turn, one for each checkpoint.
"""

import hashlib
import re
from collections.abc import Iterator, Sequence
from typing import Any

from benchmarks.results.parts_table import footing, table
from benchmarks.results.stored_run import Run, as_ratio
from benchmarks.timing.measured_steps import NOISE
from benchmarks.timing.paired_ratio import Ratio
from reference.lesson.loops import LOOPS

FIGURES = {
    "epoch_seconds": "epoch {:.2f} s",
    "evaluation_seconds": "evaluation {:.2f} s",
    "rows_a_second": "{:,.0f} rows a second",
    "batches_a_second": "{:,.0f} batches a second",
}


def cpu_of(run: Run) -> dict[str, Any]:
    """The processor's description in a run; empty where there is none."""
    cpu: dict[str, Any] = run["machine_info"].get("cpu") or {}
    return cpu


def _slug(run: Run, measured: Sequence[dict[str, Any]]) -> str:
    name = _processor(run, measured)
    return "-".join("".join(c if c.isalnum() else " " for c in name).split()).lower()[:60]


def plot_name(run: Run, measured: Sequence[dict[str, Any]]) -> str:
    """The plot's file, named by date, machine and versions, as the section is."""
    versions = hashlib.sha256(versions_of(measured).encode()).hexdigest()[:6]
    return f"{title_of(run, measured)[:10]}-{_slug(run, measured)}-{versions}.png"


def versions_of(measured: Sequence[dict[str, Any]]) -> str:
    """The line below a section's title."""
    first = measured[0]
    versions = ", ".join(f"{name} {v}" for name, v in first["versions"].items())
    return f"{versions}; threads: {first['threads']}."


def _processor(run: Run, measured: Sequence[dict[str, Any]]) -> str:
    """The GPU's name where the steps were a GPU's."""
    device = str(measured[0]["device"])
    return _host(run) if device == "cpu" else device


def _host(run: Run) -> str:
    return str(cpu_of(run).get("brand_raw", "cpu"))


def title_of(run: Run, measured: Sequence[dict[str, Any]]) -> str:
    """Date, machine and cores.

    Raises:
        ValueError: the run has no date.
    """
    day = str(run.get("datetime", ""))[:10]
    if not re.fullmatch(r"\d{4}-\d\d-\d\d", day):
        raise ValueError(f"datetime: {day!r} is no date")
    own, host = _processor(run, measured), _host(run)
    where = own if own == host else f"{own}, beside {host}"
    return f"{day}, {where}, {cpu_of(run).get('count', '?')} cores"


def heading(run: Run, measured: Sequence[dict[str, Any]]) -> str:
    """How a section begins: date, machine and versions."""
    return f"### {title_of(run, measured)}\n\n{versions_of(measured)}\n"


def section(
    run: Run, measured: Sequence[dict[str, Any]], pairs: Sequence[dict[str, Any]], plot: str
) -> str:
    """The results of one run as Markdown.

    Args:
        run: pytest-benchmark's.
        measured: see the module.
        pairs: what `python -m benchmarks.pair --json` wrote.
        plot: the picture's file name.
    """
    lines = [heading(run, measured)]
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
            f"{_share(extra['share_of_peak']['bare'])} |",
        ]
        for loop in LOOPS:
            step, own = (
                as_ratio(extra["ratios"][f"{extra['checkpoint']}-{loop}-{link}"])
                for link in ("step", "loop")
            )
            lines.append(
                f"| {loop} | {extra['step_ms'][loop]:.1f} | {step} | {own} | "
                f"{_share(extra['share_of_peak'][loop])} |"
            )
        lines += ["", *_counts(extra["counts"])] if "counts" in extra else [""]
    lines += [*_pairs(pairs), *_parts(run), *_others(run), f"![what each loop adds]({plot})", ""]
    return "\n".join(lines)


def _counts(counts: dict[str, int]) -> list[str]:
    """Of a GPU: how many kernels a step launches, and how often the host waits."""
    if "bare-kernel_launches-cuda" not in counts:
        return []
    lines = ["| one step | kernels launched | more than the bare step | waits for the GPU |"]
    lines.append("| --- | --- | --- | --- |")
    bare = [counts[f"bare-{figure}-cuda"] for figure in ("kernel_launches", "synchronisations")]
    lines.append(f"| bare step | {bare[0]} | | {bare[1]} |")
    for loop in LOOPS:
        figures = ("kernel_launches", "added_launches", "synchronisations")
        cells = [str(counts[f"{loop}-{figure}-cuda"]) for figure in figures]
        lines.append(f"| {loop} | {' | '.join(cells)} |")
    return [*lines, ""]


def _share(of_peak: float) -> str:
    return f"{of_peak:.0%}" if of_peak >= 0.01 else f"{of_peak:.2%}"


def _how_wide(noise: Ratio) -> str:
    return "" if noise.width <= NOISE else f", wider than {NOISE:.0%}: a noisy machine"


def _pairs(pairs: Sequence[dict[str, Any]]) -> list[str]:
    """One loop beside the bare step, settled to a few parts in a thousand."""
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
        ratio, noise = as_ratio(row), as_ratio(pair["noise"])
        counts = f"{ratio.rounds}, {ratio.pairs}"
        lines.append(f"| {pair['pair']} | {ratio} | {counts} | {noise}{_how_wide(noise)} |")
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
    """What was timed by itself. A rough size: times drift where ratios don't."""
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
    """What a benchmark measured beside its own time."""
    for name, text in FIGURES.items():
        if name in extra:
            yield text.format(extra[name])
    for row in extra.get("ratios", {}).values():
        yield f"observed by plain {as_ratio(row)}"
