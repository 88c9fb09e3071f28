"""The scores of many seeds, and two recipes by paired seeds, as lines and as JSON."""

from collections.abc import Iterator, Sequence

from reference.ledger.record import Record
from reference.messages import brief, folded
from reference.seeds.equivalence import (
    ALPHA,
    EQUIVALENT,
    NOT_EQUIVALENT,
    Paired,
    verdict_of,
)
from reference.seeds.seed_scores import SEEDS_VERSION, SeedScores, differences
from reference.seeds.statistics import CONFIDENCE, Interval, coverage
from reference.terminal import table


def lines_of(scores: SeedScores) -> list[str]:
    """The table of a recipe's scores, and how many seeds it is of."""
    rows = [
        [
            "score",
            "mean",
            "std",
            "lowest",
            "highest",
            f"mean ({100 * CONFIDENCE:g} %)",
        ]
    ]
    for name, each in scores.statistics().items():
        numbers = (each.mean, each.standard_deviation, each.lowest, each.highest)
        rows.append([name, *(f"{v:.4f}" for v in numbers), _interval(each.mean_interval)])
    n = len(scores.metrics)
    lines = [
        *table(rows).splitlines(),
        f"{n} seeds: {_numbers(scores.metrics)}; one more lies from the lowest to the highest with "
        f"a probability of {100 * coverage(n):.0f} %, whatever the distribution",
    ]
    if scores.header["data"].get("synthetic"):
        lines.append("data: the embedded corpus, which is synthetic")
    return lines


def lines_of_pairs(a: SeedScores, b: SeedScores, pairs: Sequence[Paired]) -> Iterator[str]:
    """The verdict on two recipes, its numbers by score and by seed, and what they differ in."""
    margin = f"{pairs[0].margin:g}"
    seeds = list(pairs[0].differences)
    verdict = verdict_of(pairs)
    why = {
        EQUIVALENT: f"each mean difference is shown to lie within {margin}",
        NOT_EQUIVALENT: f"a mean difference is shown to lie outside {margin}",
    }.get(verdict, f"neither within {margin} nor outside; more seeds may show which")
    yield f"{verdict}: {why} ({len(seeds)} paired seeds, two one-sided t-tests at {ALPHA:g})"
    level = f"{100 * (1 - 2 * ALPHA):g} %"
    head = ["A - B", "mean", f"mean ({level})", f"p (> -{margin})", f"p (< {margin})", "verdict"]
    rows = [head]
    for each in pairs:
        p_values = (f"{p:.2g}" for p in (each.p_above, each.p_below))
        rows.append(
            [each.score, f"{each.mean:+.4f}", _interval(each.interval), *p_values, each.verdict]
        )
    yield from table(rows).splitlines()
    score = pairs[0]
    by_seed = (f"{seed} {value:+.4f}" for seed, value in score.differences.items())
    yield folded(f"{score.score} by seed: {', '.join(by_seed)}")
    unequal = differences(a.header, b.header)
    for field, left, right in unequal:
        yield f"{field}: {brief(left)} in A, {brief(right)} in B"
    if not unequal:
        yield "A and B are of the same recipe, data and versions"
    for name, one, other in (("A", a, b), ("B", b, a)):
        alone = [seed for seed in one.metrics if seed not in other.metrics]
        if alone:
            yield f"left out, as only {name} has them: seeds {_numbers(alone)}"


def pairs_as_json(a: SeedScores, b: SeedScores, pairs: Sequence[Paired]) -> Record:
    """The same as one JSON object."""
    return {
        "version": SEEDS_VERSION,
        "verdict": verdict_of(pairs),
        "margin": pairs[0].margin,
        "alpha": ALPHA,
        "seeds": list(pairs[0].differences),
        "scores": {
            each.score: {
                "verdict": each.verdict,
                "mean": each.mean,
                "interval": each.interval,
                "p_above": each.p_above,
                "p_below": each.p_below,
                "differences": list(each.differences.values()),
            }
            for each in pairs
        },
        "differ": [
            {"field": field, "a": left, "b": right}
            for field, left, right in differences(a.header, b.header)
        ],
    }


def _interval(interval: Interval) -> str:
    return f"{interval[0]:.4f} to {interval[1]:.4f}"


def _numbers(seeds: Sequence[int] | dict[int, Record]) -> str:
    """Seeds as `42 to 71`, and those that don't follow each other by themselves."""
    parts: list[list[int]] = []
    for seed in seeds:
        if parts and seed == parts[-1][-1] + 1:
            parts[-1].append(seed)
        else:
            parts.append([seed])
    return ", ".join(
        f"{part[0]} to {part[-1]}" if len(part) > 1 else f"{part[0]}" for part in parts
    )
