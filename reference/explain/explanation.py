"""What a search for deviations came to, and how it shows itself."""

from dataclasses import dataclass

from reference.deviations import Chosen
from reference.diff.verdict import Verdict
from reference.explain.outcome import Outcome
from reference.explain.path import Path
from reference.messages import as_html, plain


@dataclass(frozen=True)
class OwnLength:
    """How long the recipe's run was made because the ledger's is.

    Attributes:
        steps: so many steps.
        told: its header says so; otherwise it came to its end after so many.
    """

    steps: int
    told: bool


@dataclass(frozen=True, repr=False)
class Explanation:
    """What a search came to.

    At a prompt and in a notebook it shows what `python -m reference explain` prints.

    Attributes:
        outcome: the last replay: the proof, or as far as it goes.
        path: the replay before each deviation was added, the first with none.
        replays: how many replays there were.
        steps: how many steps they trained, in all.
        tried: deviations that were switched on in vain at the divergence that is left.
        foreign: orders and forms of the data, none of which gives the ledger's first batch.
        dropped: the deviations that got further by chance, and the verdict with them.
        own_length: how long the recipe's run was made, where the ledger said so.
    """

    outcome: Outcome
    path: Path
    replays: int
    steps: int
    tried: int = 0
    foreign: int = 0
    dropped: tuple[tuple[Chosen, ...], Verdict] | None = None
    own_length: OwnLength | None = None

    @property
    def proven(self) -> bool:
        """Every step and link that the ledger has came out equal."""
        return self.outcome.proven

    def __repr__(self) -> str:
        return "\n".join(self._lines())

    def _repr_html_(self) -> str:
        return as_html(self._lines())

    def _lines(self) -> list[str]:
        from reference.explain.explanation_text import words  # which is about this class

        return [plain(line) for line in words(self)]
