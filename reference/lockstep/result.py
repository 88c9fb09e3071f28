"""What lockstep comes to: differences, proof or what it lacks, ends; as lines and as JSON."""

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass

from reference.ledger.record import Record
from reference.lockstep.differences import Difference, Found, find
from reference.lockstep.effects import Effect
from reference.lockstep.fixes import fix_text
from reference.lockstep.pair import ALONE, PairRun, SideRun
from reference.lockstep.words import difference_text, steps_text
from reference.messages import json_object, plain

VERSION = 1
EQUAL, DIFFERENT, INCOMPARABLE = 0, 1, 2  # exit codes


@dataclass(frozen=True)
class Lockstep:
    """Two trainings held side by side.

    Attributes:
        run: What they noted.
        found: What that comes to.
        failure: Why they couldn't be compared; '' where they could.
    """

    run: PairRun
    found: Found
    failure: str

    @property
    def differences(self) -> list[Difference]:
        """Independent ones, the likeliest cause first."""
        return self.found.differences

    @property
    def is_proven(self) -> bool:
        """Whether B is A's run once A's is put in these differences' place."""
        return not self.failure and not self.unproven

    @property
    def unproven(self) -> str:
        """What the proof lacks; '' where it is whole."""
        if self.found.cannot:
            note = self.found.cannot[0]
            return f"step {note['step']}, {note['link']}: {note['cannot']}"
        if self.found.uncompared:
            return "; ".join(self._uncompared_text(note) for note in self.found.uncompared)
        end = self.run.sides[1].end or {}
        if "final" in end:
            return "A's wasn't put in B's place in all links"
        if end.get("weights_equal") is False:
            return "the weights or buffers at the end are unequal"
        return ""

    def _uncompared_text(self, note: Record) -> str:
        steps = steps_text(note["steps"], self.run.steps)
        return f"{note['link']}, {steps}: couldn't be compared, for {note['uncompared']}"

    @property
    def exit_code(self) -> int:
        """0 for no difference, 1 for some that are proven, 2 where that couldn't be seen."""
        if self.failure or self.unproven:
            return INCOMPARABLE
        return DIFFERENT if self.differences or self.ends else EQUAL

    @property
    def ends(self) -> str:
        """Which of the two ends earlier, and after how many steps."""
        end, steps = self.run.sides[1].end or {}, self.run.steps
        if end.get("goes_on"):
            return f"A ends after {steps} steps, and B goes on: it was ended there"
        if end and end.get("others_steps", steps) is None:
            return f"B ends after {steps} steps, and A goes on: it was ended there"
        return ""

    def lines(self) -> Iterator[str]:
        """The list and the proof, for a person."""
        steps = self.run.steps
        if self.failure:
            yield plain(f"couldn't be compared: {self.failure}")
        for number, each in enumerate(self.differences, 1):
            yield f"{number}. {difference_text(each, steps)}"
            fix = fix_text(each)
            if fix:
                yield f"   B like A: {plain(fix)}"
        if self.found.nothing:
            yield "of no effect here:"
            yield from (f"   {difference_text(each, steps)}" for each in self.found.nothing)
        if self.found.unsure:
            yield "may follow from B's own targets, which go into no loss of torch's:"
            yield from (f"   {difference_text(each, steps)}" for each in self.found.unsure)
        if not self.failure:
            yield from (line for line in (self.ends, self.proof) if line)

    @property
    def proof(self) -> str:
        """The last line."""
        count, steps = len(self.differences), self.run.steps
        of_steps = f"{steps} step{'s' * (steps != 1)}, every link, bit for bit"
        if self.unproven:
            return plain(f"not proven: {self.unproven}")
        if not count:
            return f"proven: no difference; B is A's run: {of_steps}"
        these = "this one" if count == 1 else f"these {count}"
        return f"proven: with {these}, B is A's run: {of_steps}"

    def __str__(self) -> str:
        return "\n".join(self.lines())

    def json(self, effects: Sequence[Effect] = ()) -> str:
        """All of it as one JSON object, with the effects of the differences if they are known."""
        return json_object(
            {
                "version": VERSION,
                "a": list(self.run.sides[0].words),
                "b": list(self.run.sides[1].words),
                "steps": self.run.steps,
                "proven": self.is_proven,
                "failure": self.failure,
                "unproven": self.unproven,
                "ends": self.ends,
                "differences": [_record(d, self.run.steps) for d in self.differences],
                "of_no_effect": [_record(d, self.run.steps) for d in self.found.nothing],
                "unsure": [_record(d, self.run.steps) for d in self.found.unsure],
                "cannot": self.found.cannot,
                "effects": [asdict(effect) for effect in effects],
            }
        )


def _record(difference: Difference, total: int) -> Record:
    return {
        "link": difference.link,
        "field": difference.field,
        "steps": difference.steps,
        "a": difference.a,
        "b": difference.b,
        "words": difference_text(difference, total),
        "fix": fix_text(difference),
    }


def judge(run: PairRun) -> Lockstep:
    """What two trainings' run comes to."""
    return Lockstep(run, find(run), failure_of(run))


def failure_of(run: PairRun) -> str:
    """Whose fault it is that there was nothing to compare, or not to the end."""
    # One that was ended for the other's sake might have trained yet.
    never = [side for side in run.sides if _has_ended_well(side) and not side.steps]
    if never:
        names = " and ".join(map(_name, never))
        return f"{names} took no optimizer step in {'their' if len(never) > 1 else 'its'} process"
    real = [side for side in run.sides if side.failure and side.failure != ALONE]
    if real:
        side = real[0]
        asked = "; it asks for input, and gets none: give it its answers as arguments"
        if not side.began:
            return f"{side.name}: {side.failure}"
        after = f" after {side.steps} steps" if side.steps else " before its first step"
        return f"{_name(side)} {side.failure}{after}{asked if side.asked else ''}"
    if any(side.failure for side in run.sides):
        return "one of them has lost the other"
    if not run.steps:
        return "neither has taken an optimizer step"
    return ""


def _has_ended_well(side: SideRun) -> bool:
    return side.end is not None and not side.failure


def _name(side: SideRun) -> str:
    return f"{side.name} ({shlex.join(_shown(side.words))})"


def _shown(words: Sequence[str]) -> list[str]:
    return [*words[:3], *(["..."] if len(words) > 3 else [])]
