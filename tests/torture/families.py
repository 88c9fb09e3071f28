"""The families of damaged inputs, how many cases each has, and how they are run.

A case is made of its family and number alone: `python -m tests.torture ledgers 1234` is the same
one everywhere. The cases are run one after another in one process.
"""

import gc
import shutil
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from reference.run.prepare import quiet
from tests.torture import checkpoints, data, ledgers, recipes
from tests.torture.judge import MOST, Case, Outcome, complaints, limits, peak_memory, run

PREPARE = {
    "ledgers": ledgers.prepare,
    "recipes": recipes.prepare,
    "data": data.prepare,
    "checkpoints": checkpoints.prepare,
}
COUNTS = {"ledgers": 15_000, "recipes": 1_500, "data": 1_200, "checkpoints": 500}


@dataclass
class Figures:
    """What came of many cases.

    Attributes:
        codes: how many ended with each exit code.
        slowest: seconds of CPU and number of the case that took most.
        grown: bytes by which the process's peak grew.
        bad: a line for each case that ended as none may.
    """

    codes: Counter[int] = field(default_factory=Counter)
    slowest: tuple[float, int] = (0.0, -1)
    longest: tuple[float, int] = (0.0, -1)
    grown: int = 0
    bad: list[str] = field(default_factory=list)


class Family:
    """One family's whole inputs, in a folder, and its cases."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name = name
        self._work = folder / "work"
        self._here = folder / "here"
        whole = folder / "whole"
        for each in (self._here, whole):
            each.mkdir()
        quiet()
        self._make = PREPARE[name](whole)

    def run(self, numbers: Iterable[int], tell: Callable[[str], None] = lambda _: None) -> Figures:
        """Run the cases of these numbers; `tell` gets a line for each bad one, when it is seen."""
        figures, before = Figures(), peak_memory()
        gc.collect()
        gc.freeze()  # an error collects garbage, and needn't look through torch for it each time
        with limits():
            for number in numbers:
                case, outcome, wrong = self._one(number)
                figures.codes[outcome.code] += 1
                figures.slowest = max(figures.slowest, (outcome.cpu, number))
                figures.longest = max(figures.longest, (outcome.seconds, number))
                grown = peak_memory() - before
                if grown > MOST >= figures.grown:
                    wrong.append(f"took {grown >> 20} MiB")
                figures.grown = grown
                if wrong:
                    said = (outcome.err or outcome.out).strip()[-300:]
                    figures.bad.append(
                        f"{self.name} {number}: {'; '.join(wrong)}: {case.damage}: {said}"
                    )
                    tell(figures.bad[-1])
        return figures

    def show(self, number: int) -> bool:
        """Print one case, and whether it ended as none may."""
        with limits():
            case, outcome, wrong = self._one(number)
        print(f"{self.name} {number}: {case.damage}")
        print(f"$ python -m reference {' '.join(word[:200] for word in case.words)}")
        print(f"{outcome.out}{outcome.err}exit code {outcome.code}, {outcome.cpu:.2f} s of CPU")
        print("\n".join(f"WRONG: {each}" for each in wrong) or "as it should be")
        return bool(wrong)

    def case(self, number: int) -> Case:
        """The case of this number, its input damaged and ready."""
        shutil.rmtree(self._work, ignore_errors=True)
        self._work.mkdir()
        return self._make(Random(f"{self.name} {number}"), self._work)

    def _one(self, number: int) -> tuple[Case, Outcome, list[str]]:
        case = self.case(number)
        outcome = run(case, self._here)
        wrong = list(complaints(case, outcome, self._here))
        shutil.rmtree(self._here)
        self._here.mkdir()
        return case, outcome, wrong


def report(name: str, figures: Figures) -> str:
    """The figures in one line."""
    codes = ", ".join(f"{code}: {count}" for code, count in sorted(figures.codes.items()))
    return (
        f"{name}: {figures.codes.total()} cases, exit codes {codes}; slowest "
        f"{figures.slowest[0]:.2f} s of CPU (case {figures.slowest[1]}), {figures.longest[0]:.2f} s"
        f" by the clock (case {figures.longest[1]}); grown by {figures.grown >> 20} MiB; "
        f"{len(figures.bad)} bad"
    )
