"""Ratios of a stored run beside today's: they hold from one day to the next, where times drift."""

from collections.abc import Iterator, Mapping
from typing import Any

from benchmarks.results.stored_run import as_ratio


def ratio_lines(
    stored: Mapping[str, Mapping[str, Any]], now: Mapping[str, Mapping[str, Any]]
) -> Iterator[str]:
    """A line for each ratio that both runs have.

    Args:
        stored: the stored run's benchmarks, by their full names.
        now: today's `extra_info`, by the same.

    Yields:
        The ratio then and now; `SLOWER` or `faster` where the two intervals lie apart, else
        `alike`; or that the stored one is damaged.
    """
    for fullname, extra in now.items():
        then = stored.get(fullname, {}).get("extra_info", {}).get("ratios", {})
        for name, row in extra.get("ratios", {}).items():
            if not isinstance(then, Mapping) or name not in then:
                continue
            try:
                before, after = as_ratio(then[name]), as_ratio(row)
            except (TypeError, ValueError):
                yield f"--benchmark-compare: {name}: damaged in the stored run"
                continue
            change = "alike"
            if after.low > before.high or after.high < before.low:
                change = "SLOWER" if after.median > before.median else "faster"
            yield f"--benchmark-compare: {name}: {before} then, {after} now: {change}"
