"""Gradients: as the backward passes leave them, and as the optimizer gets them."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from reference.ledger.marks import ABSENT
from reference.ledger.record import Record
from reference.lockstep.clip_text import clip_text
from reference.lockstep.notes import Notes
from reference.lockstep.parameter_pairs import ParameterPairs
from reference.lockstep.sparse_parts import joined
from reference.lockstep.stream import Event, Stream
from reference.lockstep.watcher import Watcher

SAME = 1e-5  # relative: norms are written with seven digits


class GradientPlacer:
    """Compares gradients at three places of a step: before it, raw, and clipped."""

    def __init__(
        self, watcher: Watcher, pairs: ParameterPairs, stream: Stream, notes: Notes
    ) -> None:
        self._watcher, self._pairs = watcher, pairs
        self._stream, self._notes = stream, notes
        self.own_clips: list[Record] = []
        self._compared: tuple[int, int] | None = None  # backward passes of both, at the last one
        self.is_blind: Callable[[], bool] = lambda: False  # to the targets, which are B's own
        self.in_no_group: set[int] = set()  # A's places of what its optimizer has, and not B's
        self._counts: tuple[int, int] | None = None  # of the step before
        self._raw: Record = {}  # B's gradients, as the last backward pass left them
        self.last_losses: list[float | None] = [None, None]  # from which A and B went backwards
        self._norms: tuple[Any, Any] = (None, None)

    def backward(self, tensors: list[Tensor], run: Callable[[], None]) -> None:
        """B's backward pass."""
        watcher, step = self._watcher, self._watcher.step
        last = watcher.backwards + 1
        pairs_up = True
        if self._counts is not None and self._counts[0] != self._counts[1]:
            pairs_up = last == self._counts[1]
        self.last_losses[1] = _number(tensors)
        begin = self._next_begin(last) if pairs_up else None
        if begin is not None:
            self.last_losses[0] = begin.record["root"][0]
        if begin is not None and begin.record["passes"] != watcher.passes and not self._counts:
            begin = None  # it is of other passes
        if begin is not None and watcher.backwards == 0:
            self._zeroed(begin)
        roots = [t.detach().item() if t.numel() == 1 else None for t in tensors]
        run()
        watcher.backwards += 1
        self._raw = ours = watcher.parameters.gradients().record
        event = None if begin is None else self._stream.seek("backward", step=step)
        if begin is None or event is None:
            return
        root = begin.record["root"]
        more: Record = {} if root == roots else {"roots": [root, roots]}
        if root != roots and self._notes.follows == "forward" and not self.is_blind():
            # Outputs and losses are A's by now: what is made of them is a difference of its own.
            self._note_root(begin, root, roots)
        more["blind"] = root != roots and self.is_blind()
        self._compare("gradient", event.record["gradient"], ours, **more)
        self._compared = event.record["backwards"], watcher.backwards
        self._norms = event.record["gradient"]["norm"], event.record["gradient"]["norm"]
        self._stream.release()

    def _note_root(self, begin: Event, root: list[Any], roots: list[Any]) -> None:
        """Another loss than A's goes backward, though all that it is made of is A's."""
        values, follows = (root[0], roots[0]), self._notes.follows
        self._notes.follows = ""
        self._notes.unequal(self._watcher.step, "gradient", "loss", *values, roots=[root, roots])
        self._notes.follows = follows

    def _next_begin(self, last: int) -> Event | None:
        """A's backward pass beside B's; where A makes more of them, its last one."""
        step = self._watcher.step
        wanted = last if self._counts is None or self._counts[0] == self._counts[1] else None
        if wanted is not None:
            return self._stream.seek("backward_begin", step=step)
        assert self._counts is not None
        begin = None
        for _ in range(self._counts[0]):
            skip = ("backward",)
            begin = self._stream.seek("backward_begin", step=step, skip=skip) or begin
        return begin

    def _zeroed(self, begin: Event) -> None:
        """What is left of the last step's gradients when this step's first backward pass begins."""
        ours = self._watcher.parameters.gradients().record
        theirs = begin.record["left"]
        if not theirs or (theirs["norm"] == 0 and ours["norm"] == 0):
            return  # None and zero are the same to what is added to them
        values = bool(theirs["norm"] == 0), bool(ours["norm"] == 0)
        if values[0] != values[1]:
            norms = {"norms": [theirs["norm"], ours["norm"]]}
            if not self._are_of_no_group(theirs, ours):
                self._notes.unequal(self._watcher.step, "zeroed", "zeroed", *values, **norms)
            if self._notes.puts("zeroed", "zeroed"):
                self._put(theirs, ours)
        elif not values[0]:
            self._compare("zeroed", theirs, ours)
        self._stream.release() if begin.record["parks"] else None

    def _are_of_no_group(self, theirs: Record, ours: Record) -> bool:
        """Whether all that is left is of parameters that B's optimizer hasn't got, nor zeroes."""
        left, right = theirs["norms"].split(), ours["norms"].split()
        known = [(a, b) for a, b in self._pairs.pairs if a < len(left) and b < len(right)]
        unequal = {a for a, b in known if float(left[a]) != float(right[b])}
        return unequal <= self.in_no_group

    def before_step(self, event: Event, optimizer: Optimizer) -> None:
        """The gradients that the optimizer gets."""
        step = self._watcher.step
        ours = self._watcher.parameters.gradients().record
        counts = event.record["backwards"], self._watcher.backwards
        clips = [c.record for c in self._clips(step)]
        if not self._notes.is_whole:
            self._counts = counts
            if self._notes.puts("clip", "norm"):
                _clip_as(clips, optimizer)
            return
        theirs = [{k: c[k] for k in ("name", "bound", "norm", "late")} for c in clips]
        if self._compared == counts or not self._takes_the_sum(event, ours, theirs):
            self._compare_clipped(event, ours, theirs)
        self._counts = counts

    def _compare_clipped(self, event: Event, ours: Record, theirs: list[Record]) -> None:
        """Where the raw gradients are A's: what clips, or anything else, have made of them."""
        if any(self._pairs.alone):  # their gradients are part of the norm
            self._notes.follows = self._notes.follows or "weights"
        told = {"clips": [theirs, self.own_clips], "norm": self._norms[0]}
        same = _calls(theirs) == _calls(self.own_clips)
        # Where both clip alike, something else has changed the gradients.
        link = "gradient" if same and theirs else "clip"
        self._compare(link, event.record["gradient"], ours, **told)
        if not same:
            self._note_bounds(theirs)

    def _takes_the_sum(self, event: Event, ours: Record, theirs: list[Record]) -> bool:
        """Backward passes that don't pair up: their sum is compared, as it was before any clip.

        False where that is equal, so that the clips can be compared as always.
        """
        step, passes = self._watcher.step, (event.record["passes"], self._watcher.passes)
        if passes[0] == passes[1]:
            count = self._notes.count
            if event.record["raw"] and self._raw:
                backwards = event.record["backwards"], self._watcher.backwards
                self._compare("gradient", event.record["raw"], self._raw, backwards=backwards)
                if self._notes.count == count:
                    self._norms = event.record["raw"]["norm"], self._raw["norm"]
                    return False
            else:
                self._compare("gradient", event.record["gradient"], ours)
        else:
            why = f"{passes[0]} and {passes[1]} forward passes that can't be paired"
            self._notes.uncompared(step, "gradient", why)
        if _calls(theirs) != _calls(self.own_clips):
            texts = [clip_text(clips) for clips in (theirs, self.own_clips)]
            self._notes.unequal(step, "clip", "bound", *texts, calls=[theirs, self.own_clips])
        self._put(event.record["gradient"], self._watcher.parameters.gradients().record)
        self._settled()
        return True

    def _note_bounds(self, theirs: list[Record]) -> None:
        """Clips that aren't the same and did nothing in this step."""
        if not self._last_was_unequal:
            texts = [clip_text(clips) for clips in (theirs, self.own_clips)]
            more = {"norm": self._norms[0], "soft": True}
            self._notes.unequal(self._watcher.step, "clip", "bound", *texts, **more)

    def _clips(self, step: int) -> list[Event]:
        found = []
        while (event := self._stream.seek("clip", step=step)) is not None:
            found.append(event)
        return found

    def _compare(self, link: str, theirs: Record, ours: Record, **more: Any) -> None:
        """Note what is unequal, and put A's in place."""
        self._last_was_unequal = False
        left, right = theirs["tensors"].split(), ours["tensors"].split()
        known = [(a, b) for a, b in self._pairs.pairs if a < len(left) and b < len(right)]
        unequal = [(a, b) for a, b in known if left[a] != right[b]]
        if not unequal:
            self._settled()
            return
        self._last_was_unequal = True
        present = [(a, b) for a, b in unequal if ABSENT not in (left[a], right[b])]
        more["absent"] = [
            sum(left[a] == ABSENT for a, _ in unequal),
            sum(right[b] == ABSENT for _, b in unequal),
        ]
        norms = theirs["norms"].split(), ours["norms"].split()
        more["factor"] = _factor([(float(norms[0][a]), float(norms[1][b])) for a, b in present])
        more |= {"count": len(unequal), "total": len(known)}
        more["first"] = self._pairs.name(unequal[0][0])
        values = theirs["norm"], ours["norm"]
        field = "changed" if link == "gradient" and "clips" in more else "norm"
        self._notes.unequal(self._watcher.step, link, field, *values, **more)
        if self._notes.is_whole:
            self._put(theirs, ours)
            self._settled()

    def _settled(self) -> None:
        """The gradients are A's: what comes next follows from nothing before."""
        self._notes.follows = ""

    def _put(self, theirs: Record, ours: Record) -> None:
        left, right = theirs["tensors"].split(), ours["tensors"].split()
        known = [(a, b) for a, b in self._pairs.pairs if a < len(left) and b < len(right)]
        unequal = [(a, b) for a, b in known if left[a] != right[b]]
        wanted = [a for a, _ in unequal if left[a] != ABSENT]
        values = self._stream.ask(get="gradients", places=wanted) if wanted else {}
        for a, b in unequal:
            own = self._watcher.tensor(b)
            value = joined(str(a), values, own)
            if value is None:
                own.grad = None
            elif own.grad is None or own.grad.layout != value.layout or value.is_sparse:
                own.grad = value
            else:
                own.grad.detach().copy_(value)

    def end_step(self) -> None:
        """The optimizer has stepped."""
        self.own_clips = []
        self._compared = None
        self._raw = {}


def _calls(clips: list[Record]) -> list[tuple[Any, ...]]:
    return [(c["name"], c["bound"], c["late"]) for c in clips]


def _number(tensors: list[Tensor]) -> float | None:
    return tensors[0].detach().item() if tensors and tensors[0].numel() == 1 else None


def _clip_as(clips: list[Record], optimizer: Optimizer) -> None:
    """Clip B's own gradients as A clipped its own."""
    tensors = [p for group in optimizer.param_groups for p in group["params"]]
    for clip in clips:
        if not clip["late"]:
            function: Any = getattr(torch.nn.utils, clip["name"])
            function.__wrapped__(tensors, clip["bound"])  # not through the hook


def _factor(norms: list[tuple[float, float]]) -> float | None:
    """B's norms by A's, where that is one number for all of them."""
    ratios = [b / a for a, b in norms if a > 0]
    if not ratios:
        return None
    middle = sorted(ratios)[len(ratios) // 2]
    same = all(abs(ratio - middle) <= SAME * abs(middle) for ratio in ratios)
    return middle if same else None
