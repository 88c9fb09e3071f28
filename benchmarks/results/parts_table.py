"""Where each loop's time goes, as text: the table by parts, and how far it can be trusted."""

from collections.abc import Mapping
from typing import Any


def table(result: Mapping[str, Any]) -> list[str]:
    """What each loop adds to the bare step, part by part, as Markdown; of `Apart.to_json()`."""
    names = list(result["added_us"])
    bare_us = result["bare_us"]
    lines = [
        f"| microseconds a step | bare step | {' | '.join(f'{n} adds' for n in names)} |",
        f"| --- | --- |{' --- |' * len(names)}",
    ]
    for part in bare_us:
        in_bare = bare_us[part] > 0
        if not in_bare and not any(result["spent_us"][name][part] for name in names):
            continue  # nobody waits for a GPU on a CPU
        cells = [f"{bare_us[part]:.0f}" if in_bare else ""]
        for name in names:
            if not in_bare and result["spent_us"][name][part] == 0:
                cells.append("")
                continue
            added = result["added_us"][name][part]
            cells.append(f"{added:+.0f} ({added / bare_us['step']:+.2%})")
        lines.append(f"| {part} | {' | '.join(cells)} |")
    return lines


def footing(result: Mapping[str, Any]) -> list[str]:
    """How far the table can be trusted: what the clock cost, and which calls it couldn't wrap."""
    lines = []
    for name in result["spent_us"]:
        lines.append(
            f"{name}: {result['clock_us'][name]:.0f} us a step of the clock's own were taken off, "
            f"which leaves {result['clock_left_us'][name]:+.0f} to the step without such a clock"
        )
    for name in result["absent"]:
        lines.append(f"{name} isn't there in this version: its time is the rest's")
    return lines
