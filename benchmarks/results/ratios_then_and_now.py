"""Ratios of a stored run beside today's: what holds from one day to the next, where times drift.

    python -m pytest benchmarks --benchmark-compare

pytest-benchmark itself compares times.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from benchmarks.results.stored_run import as_ratio


def ratio_lines(
    stored: Mapping[str, Mapping[str, Any]], now: Mapping[str, Mapping[str, Any]]
) -> Iterator[str]:
    """A line for each ratio that both have, by the benchmarks' full names.

    `SLOWER` and `faster` are said where the two intervals lie apart; of a ratio that can't be read
    in the stored run, that.
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
            said = "alike"
            if after.low > before.high or after.high < before.low:
                said = "SLOWER" if after.median > before.median else "faster"
            yield f"--benchmark-compare: {name}: {before} then, {after} now: {said}"
