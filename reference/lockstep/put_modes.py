"""Generators, modes and settings: A's in B's place when a forward pass begins."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from reference.ledger.record import Record
from reference.lockstep.arguments_put import MISSING
from reference.lockstep.generator_states import generator_states, put_generator
from reference.lockstep.links import rng_field
from reference.lockstep.model_parts import Undo
from reference.lockstep.notes import Notes
from reference.lockstep.stream import Event
from reference.lockstep.watcher import OpenPass, Watcher


@dataclass
class Soft:
    """Settings and plain arguments: left as B has them until it shows that they do something.

    Attributes:
        untried: Those of a pass that are unequal and weren't put in place, with both values.
        proven: Those of which something that is computed was unequal then.
    """

    untried: dict[str, Any] = field(default_factory=dict)
    proven: set[str] = field(default_factory=set)
    _idle: dict[str, Any] = field(default_factory=dict)  # values with which all came out equal
    _of_step: dict[str, list[str]] = field(default_factory=dict)  # the paths of settings

    def begin(self) -> None:
        """A pass begins: it has its own."""
        self.untried = {}

    def leave(self, key: str, values: Any, paths: Sequence[str] = ()) -> None:
        """It isn't put in place."""
        self.untried[key] = values
        self._of_step[key] = list(paths)

    def suspects(self) -> list[str]:
        """Those that may be why something is unequal: with these values nothing was equal yet."""
        return sorted(k for k, v in self.untried.items() if self._idle.get(k, MISSING) != v)

    def matter(self) -> None:
        """Something that is computed is unequal."""
        self.proven.update(self.suspects())

    def idle(self) -> None:
        """All that a pass has computed is equal."""
        self._idle.update(self.untried)

    def of_buffers(self, names: Sequence[str]) -> list[str]:
        """The settings of the modules that these buffers are of; they do something, then."""
        owners = {name.rpartition(".")[0] for name in names}
        found = [
            key
            for key, paths in self._of_step.items()
            if any(_is_part(path.rpartition(".")[0], owner) for path in paths for owner in owners)
        ]
        self.proven.update(found)
        return sorted(found)

    def end_step(self) -> None:
        """The optimizer has stepped."""
        self._of_step = {}


class ModePlacer:
    """Compares the states that a pass begins in, and puts A's in place."""

    def __init__(self, watcher: Watcher, notes: Notes, soft: Soft) -> None:
        self._watcher, self._notes, self._soft = watcher, notes, soft
        self._modes: dict[int, Record] = {}  # A's, by the number of a called module
        self._settings: dict[int, Record] = {}

    def generators(self, event: Event) -> tuple[list[str], dict[str, str]]:
        """The names of the generators that were unequal, and the states of all by now."""
        theirs, ours = event.record["rng"], generator_states()
        names = [n for n, r in theirs.items() if n in ours and r["state"] != ours[n]]
        if self._notes.puts("rng", rng_field(self._watcher.step, event.number)):
            for name in names:
                if put_generator(name, theirs[name], event.pieces):
                    ours[name] = theirs[name]["state"]
                else:
                    step = self._watcher.step
                    self._notes.cannot(step, "rng", f"the generator {name} is of another kind")
        return names, ours

    def modes(self, event: Event, begun: OpenPass) -> Undo | None:
        """Train or eval mode of the modules."""
        called = event.record["called"]
        self._modes[called] = theirs = event.record.get("modes", self._modes.get(called, {}))
        ours = begun.parts.modes()
        common = [n for n in theirs if n in ours]
        unequal = [n for n in common if theirs[n] != ours[n]]
        if not unequal:
            return None
        word = {True: "train", False: "eval"}
        values = word[theirs[unequal[0]]], word[ours[unequal[0]]]
        more = {"count": len(unequal), "total": len(common), "first": unequal[0]}
        more["matters"] = begun.parts.read_their_mode(unequal)
        self._notes.unequal(self._watcher.step, "mode", "training", *values, **more)
        if not self._notes.puts("mode", "training"):
            return None
        return begun.parts.put_modes({n: theirs[n] for n in unequal})

    def settings(self, event: Event, begun: OpenPass) -> Undo | None:
        """Plain attributes of the modules; A's once it has shown that they do something."""
        called = event.record["called"]
        known = self._settings.get(called, {})
        self._settings[called] = theirs = event.record.get("settings", known)
        ours = begun.parts.settings()
        unequal = [n for n in theirs if n in ours and not same(theirs[n], ours[n])]
        if not unequal:
            return None
        groups: dict[str, list[str]] = {}
        for name in unequal:
            groups.setdefault(name.rpartition(".")[2], []).append(name)
        put: Record = {}
        for attribute, names in groups.items():
            key = f"setting {attribute}"
            values = theirs[names[0]], ours[names[0]]
            more = {"count": len(names), "total": len(names), "first": names[0]}
            self._notes.unequal(self._watcher.step, "forward", key, *values, **more, soft=True)
            tried = key in self._soft.proven or not self._notes.is_whole
            if tried and self._notes.puts("forward", key):
                put.update({name: theirs[name] for name in names})
            else:
                both = [(theirs[name], ours[name]) for name in names]
                self._soft.leave(key, both, names)
        return begun.parts.put_settings(put) if put else None


def _is_part(path: str, owner: str) -> bool:
    """Whether a buffer's module is a setting's; the paths may begin at another model."""
    return not path or owner == path or owner.endswith(f".{path}")


def same(left: Any, right: Any) -> bool:
    """Whether two plain values are equal, and of one type."""
    return type(left) is type(right) and bool(left == right)
