"""What one replay came to: how far it was equal to the ledger, and whether that proves anything."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from reference.deviations import Chosen
from reference.diff.divergence import Divergence
from reference.diff.judgement import judge
from reference.diff.unequal import HARD
from reference.diff.verdict import Verdict
from reference.explain.follower import Follower
from reference.ledger.link_table import DECISIVE, LINKS, METRICS

# An evaluation comes after all the links of its step.
_ORDER = {link: place for place, link in enumerate((*LINKS, METRICS))}


@dataclass(frozen=True)
class Outcome:
    """One replay against a ledger.

    Attributes:
        chosen: the deviations that were switched on.
        verdict: the verdict on the two, as far as the replay went.
        steps: steps that were trained for it.
        known_steps: steps that the ledger has.
        divergence: the first unequal step and link, or None.
        failure: what the loop raised, or "".
        decisive: the ledger is of the recipe's model, unedited, and has the links that prove.
        rank: of which rank it is; None for a run of one process.
    """

    chosen: tuple[Chosen, ...]
    verdict: Verdict
    steps: int
    known_steps: int
    divergence: Divergence | None
    failure: str = ""
    decisive: bool = True
    rank: int | None = None

    @property
    def proven(self) -> bool:
        """Every step that the ledger has, and every link that it has, came out equal."""
        return self.verdict.verdict == "identical" or self.whole

    @property
    def equal(self) -> bool:
        """No step parts from the ledger's, whatever that proves."""
        all_steps = 0 < self.verdict.steps == self.known_steps
        return (
            all_steps and self.divergence is None and self.verdict.step is None and not self.failure
        )

    @property
    def whole(self) -> bool:
        """Equal as far as the ledger goes, where it lacks its end or some link."""
        verdict = self.verdict
        all_steps = verdict.step is None and 0 < verdict.steps == self.known_steps
        return verdict.verdict == "incomparable" and all_steps and self.decisive

    @property
    def progress(self) -> tuple[int, int, int]:
        """How far it was equal, to be compared: step, link, and minus the unequal fields in it."""
        verdict = self.verdict
        if self.proven:
            return (self.known_steps + 2, 0, 0)
        if self.equal:
            return (self.known_steps + 1, 0, 0)  # the ledger was edited, and proves nothing
        if verdict.step is None or verdict.link is None:
            return (0, 0, 0)  # it failed before any step
        hard = [unequal for unequal in verdict.unequal if unequal.weight == HARD]
        return (verdict.step, _ORDER[verdict.link], -len(hard))


def outcome_of(
    follower: Follower,
    chosen: Sequence[Chosen],
    known_steps: int,
    failure: str,
    *,
    steps_before: int = 0,
    rank: int | None = None,
    ranks: int = 1,
) -> Outcome:
    """What a replay came to that has ended.

    Args:
        follower: has compared it with the ledger, as far as they are equal.
        chosen: the deviations that were switched on.
        known_steps: steps that the ledger has.
        failure: what the loop raised, or "".
        steps_before: steps that weren't trained anew.
        rank: of which rank it is; None for a run of one process.
        ranks: how many ranks the run has.
    """
    comparison, their_end = follower.comparison, follower.ends[1]
    # A replay that broke proves nothing of a run that came to its end.
    broke = bool(failure) and their_end is not None and bool(their_end["complete"])
    edited = comparison.edited and comparison.divergence is None
    lacking = DECISIVE & comparison.missing.keys()
    verdict = judge(comparison, follower.counts, follower.ends)
    if ranks > 1:
        verdict = replace(verdict, ranks=ranks)
    return Outcome(
        chosen=tuple(chosen),
        verdict=verdict,
        steps=follower.counts[0] - steps_before,
        known_steps=known_steps,
        divergence=comparison.divergence,
        failure=failure,
        decisive=not (broke or comparison.other_models or edited or lacking),
        rank=rank,
    )
