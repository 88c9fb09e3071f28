"""What every benchmark must leave, and the bound that its own ratio is held to.

`benchmarks/conftest.py` calls this after each benchmark, so that a new one can't forget it.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from benchmarks.bounds.read import Bound

SURROUNDINGS = {"versions", "threads", "device", "platform", "peak_process_bytes"}
OF_TRAINING = {"tokens", "padding_share"}  # of a benchmark that tells how many steps it trained


def missing_figures(extra_info: Mapping[str, Any]) -> str | None:
    """What a benchmark's `extra_info` lacks, and how to add it: a bare time says nothing.

    Returns:
        One line; None where nothing is missing.
    """
    names = set(extra_info)
    if lacking := sorted(SURROUNDINGS - names):
        return f"extra_info lacks {', '.join(lacking)}: update it with recipes.surroundings(recipe)"
    if "steps" in names and (lacking := sorted(OF_TRAINING - names)):
        return (
            f"extra_info has steps and lacks {', '.join(lacking)}: update it with "
            "step_counts.padding(recipe, data)"
        )
    return None


def hold_own_bounds(
    extra_info: Mapping[str, Any], bounds: Iterable[Bound]
) -> Iterator[tuple[str, bool]]:
    """Hold a benchmark's ratios to the bounds that no command holds.

    Args:
        extra_info: a benchmark's, with `ratios` by name or without.
        bounds: those of `bounds.toml`.

    Yields:
        A line for each such bound, and whether the ratio's whole interval lies above it.
    """
    ratios = extra_info.get("ratios", {})
    for bound in bounds:
        if bound.own_benchmark and bound.name in ratios:
            low, median, high = (ratios[bound.name][key] for key in ("low", "median", "high"))
            past = low > bound.at_most
            line = f"{bound.name}: {median:.4f} [{low:.4f}, {high:.4f}], bound {bound.at_most:g}"
            yield (f"PAST {line}: {bound.reason}" if past else f"ok   {line}"), past
