"""What B notes of each step: unequal fields with both values, and what can't be put in place."""

from collections.abc import Collection
from typing import Any

from reference.ledger.record import Record
from reference.lockstep.links import LINKS
from reference.lockstep.side_report import Report


class Notes:
    """The open step's, and for which links A's is put in B's place.

    Args:
        report: To the parent, which gets them step by step.
        put: The links of which A's is put in place.
        leave_out: What isn't, though its link is, as 'link/field'.
    """

    def __init__(self, report: Report, put: Collection[str], leave_out: Collection[str]) -> None:
        self._report = report
        self._put, self._leave_out = frozenset(put), frozenset(leave_out)
        # All of A's is put in place: what is computed too, so that B is A's run from step to step.
        self.is_whole = self._put >= {*LINKS} and not leave_out
        self._open: list[Record] = []
        self.follows = ""  # the link from which what comes next in this step may follow
        self.count = 0

    def puts(self, link: str, field: str = "") -> bool:
        """Whether A's is to be put in place."""
        return link in self._put and f"{link}/{field}" not in self._leave_out

    def unequal(self, step: int, link: str, field: str, a: Any, b: Any, **more: Any) -> None:
        """One field of a link; `more` may say that it follows from nothing before."""
        self.count += 1
        note = {"step": step, "link": link, "field": field, "a": a, "b": b}
        if self.follows:
            note["follows"] = self.follows
        self._open.append({**note, **more})

    def amend(self, **more: Any) -> None:
        """More of what was noted last."""
        self._open[-1].update(more)

    def withdraw(self, field: str, links: Collection[str]) -> None:
        """Notes of the open step that were of a part, and not of the whole."""
        kept = [n for n in self._open if n["link"] not in links or n.get("field") != field]
        self._open[:] = kept

    def cannot(self, step: int, link: str, what: str) -> None:
        """Something that couldn't be put in place, and why."""
        self.count += 1
        self._open.append({"step": step, "link": link, "cannot": what})
        self.follows = self.follows or link

    def uncompared(self, step: int, link: str, why: str) -> None:
        """A link of the open step that couldn't be held against A's: the proof lacks it."""
        self._open.append({"step": step, "link": link, "uncompared": why})

    def end_step(self, step: int, **more: Any) -> None:
        """The parent gets what was noted."""
        self._report.send("step", {"step": step, "notes": self._open, **more})
        self._open, self.follows = [], ""
