"""Ratios and counts against their bounds, in lines to read."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from benchmarks.bounds.read import Bounds
from benchmarks.timing.measured_steps import NOISE
from benchmarks.timing.paired_ratio import Ratio
from reference.errors import InputError


@dataclass
class Outcome:
    """Which bounds hold, in lines and in figures."""

    lines: list[str] = field(default_factory=list)
    past: list[str] = field(default_factory=list)  # names of the bounds that don't hold
    held: int = 0
    elsewhere: list[str] = field(default_factory=list)  # bounds that aren't measured here
    noise: dict[str, Any] | None = None
    ratios: dict[str, dict[str, Any]] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)

    @property
    def verdict(self) -> str:
        """One line: passed or failed, and what isn't measured here."""
        if self.past:
            verdict = f"failed: {', '.join(self.past)} of {self.held + len(self.past)} bounds"
        else:
            verdict = f"passed: {self.held} bounds"
        if not self.elsewhere:
            return verdict
        return f"{verdict}; not measured here: {', '.join(self.elsewhere)}"


def noise_line(noise: Ratio) -> str:
    """How noisy the machine was, by the ratio of the bare step to itself."""
    quiet = noise.width <= NOISE
    how = f"within {NOISE:.0%}" if quiet else f"wider than {NOISE:.0%}: a noisy machine"
    return f"A/A: bare step / bare step {noise}, {how} ({noise.rounds} rounds, {noise.pairs} pairs)"


def judge(
    bounds: Bounds,
    ratios: Mapping[str, Ratio],
    counts: Mapping[str, int],
    noise: Ratio | None,
    device: str = "cpu",
) -> Outcome:
    """Hold `bounds`. A ratio is past its bound when its whole interval is.

    Args:
        bounds: what is held; counts of another device than `device` are left out.
        ratios: what was measured, by name.
        counts: what was counted, by name.
        noise: the A/A, where there is one.
        device: `cpu` or `cuda`.

    Raises:
        InputError: no bound is left to hold, or what a bound is about wasn't measured.
    """
    outcome = Outcome(counts=dict(counts))
    if noise is not None:
        outcome.lines.append(noise_line(noise))
        outcome.noise = _json(noise)
    # A bound of another device is neither held nor missing here.
    exacts = [b for b in bounds.exact if b.device == device]
    shares = sorted({b.data for b in bounds.ratios if b.of_data})
    wanted = [*shares, *(b.name for b in bounds.ratios), *(b.name for b in exacts)]
    missing = [name for name in wanted if name not in ratios and name not in counts]
    if not wanted:
        raise InputError("no bound to hold: give bounds of this device, or of the gate")
    if missing:
        raise InputError(
            f"{len(wanted) - len(missing)} of {len(wanted)} benchmarks were measured; "
            f"{', '.join(missing)} is missing: run all of them"
        )
    for name in shares:
        outcome.ratios[name] = _json(ratios[name])
        outcome.lines.append(f"     {name}: {ratios[name]}, which the loops' bounds depend on")
    for bound in bounds.ratios:
        ratio = ratios[bound.name]
        at_most = bound.at_most_here(ratios)
        outcome.ratios[bound.name] = {**_json(ratio), "at_most": at_most}
        line = f"{bound.checkpoint}: loop {bound.loop}, link {bound.link}: {ratio}"
        _note(outcome, bound.name, ratio.low > at_most, f"{line}, bound {at_most:.4g}")
    for exact in exacts:
        number = counts[exact.name]
        line = f"embedded: loop {exact.loop}, {exact.figure}: {number:,}"
        line += f", bound {exact.at_most:,}"
        if number < exact.at_most:  # or a later change may take it up again unseen
            line += ": fewer; lower the bound"
        _note(outcome, exact.name, number > exact.at_most, line)
    return outcome


def _note(outcome: Outcome, name: str, past: bool, line: str) -> None:
    outcome.lines.append(f"{'PAST' if past else 'ok  '} {line}")
    if past:
        outcome.past.append(name)
    else:
        outcome.held += 1


def _json(ratio: Ratio) -> dict[str, Any]:
    return {
        "median": ratio.median,
        "low": ratio.low,
        "high": ratio.high,
        "rounds": ratio.rounds,
        "pairs": ratio.pairs,
    }
