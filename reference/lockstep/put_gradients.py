"""Gradients: as the backward passes leave them, and as the optimizer gets them."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from reference.ledger.marks import ABSENT
from reference.ledger.record import Record
from reference.lockstep.clip_text import clip_text
from reference.lockstep.gradient_weights import are_alike, are_weighed, weight_of
from reference.lockstep.notes import Notes
from reference.lockstep.parameter_pairs import ParameterPairs
from reference.lockstep.sparse_parts import joined
from reference.lockstep.stream import Event, Stream
from reference.lockstep.watcher import Watcher

SAME = 1e-5  # relative: norms are written with seven digits
Tensors = dict[int, Tensor | None]  # by B's places


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
        self._later: Event | None = None  # A's next backward pass, of more forward passes than B's
        self._raw: Record = {}  # B's gradients, as the last backward pass left them
        self._own: Tensors = {}  # of those, what A's were put in place of
        self._has_other_clips = False
        self._has_put = self._is_mixed = False  # whether a sum is of both sides' gradients by now
        self._emptied: list[int] = []  # B's places that its script had zeroed before the step
        self.weights: list[float | None] = []  # B's losses by A's, where the gradients are so, too
        self.losses: list[float] = []  # that B's pass, or what stands after it, has come to
        # Of B's passes, by each of their losses; and their rows.
        self._own_weights: list[tuple[list[float | None], int]] = []
        self.last_losses: list[float | None] = [None, None]  # from which A and B went backwards
        self._norms: tuple[Any, Any] = (None, None)

    def backward(self, tensors: list[Tensor], run: Callable[[], None]) -> None:
        """B's backward pass."""
        watcher, step = self._watcher, self._watcher.step
        begin = self._partner()
        roots = [t.detach().item() if t.numel() == 1 else None for t in tensors]
        self.last_losses[1] = _number(tensors)
        weights = [weight_of([loss], roots) for loss in self.losses]
        self._own_weights.append((weights, watcher.rows[-1]))
        self.losses = []
        if begin is None:
            self._take_back()  # of the sum that this one adds to
            run()
            watcher.end_backward()
            self._raw = watcher.parameters.gradients().record
            return
        root = begin.record["root"]
        self.last_losses[0] = root[0]
        before = self._copies() if weight_of(root, roots) not in (None, 1.0) else {}
        run()
        watcher.end_backward()
        self._raw = ours = watcher.parameters.gradients().record
        event = self._stream.seek("backward", step=step)
        if event is None:
            return
        more: Record = {} if root == roots else {"roots": [root, roots]}
        if root != roots and self._notes.follows == "forward" and not self.is_blind():
            # Outputs and losses are A's by now: what is made of them is a difference of its own.
            self._note_root(begin, root, roots)
        more["blind"] = root != roots and self.is_blind()
        weight = weight_of(root, roots)
        self.weights.append(1.0)
        self._own = {}
        self._compare("gradient", event.record["gradient"], ours, weight=weight, **more)
        if self._own:
            self._has_put = True
            is_so = weight is not None and self._are_weighed(before, weight)
            self.weights[-1] = weight if is_so else None
            self._notes.amend(weight=self.weights[-1])
        self._compared = event.record["backwards"], watcher.backwards
        self._norms = event.record["gradient"]["norm"], event.record["gradient"]["norm"]
        self._stream.release()

    def _partner(self) -> Event | None:
        """A's backward pass after as many forward passes of the step as B's; None without one."""
        first = self._watcher.backwards == 0
        while True:
            begin, self._later = self._later, None
            begin = begin or self._stream.seek(
                "backward_begin", step=self._watcher.step, skip=("backward",)
            )
            if begin is None:
                return None
            if first:
                self._zeroed(begin)
                first = False
                if begin.record["parks"]:
                    self._stream.release()
            if begin.record["passes"] == self._watcher.passes:
                return begin
            if begin.record["passes"] > self._watcher.passes:
                self._later = begin
                return None

    def _copies(self) -> Tensors:
        """B's gradients by its places."""
        living = self._watcher.parameters.living()
        return {b: None if t.grad is None else t.grad.detach().clone() for b, t in living.items()}

    def _take_back(self) -> None:
        """B's own gradients again: they are part of a sum, and A's were put in their place."""
        self._is_mixed = self._is_mixed or (self._has_put and len(self.weights) > 1)
        if not self._is_mixed:
            for b, own in self._own.items():
                _give(self._watcher.tensor(b), own)
        if self._own:
            self._notes.withdraw("norm", ("gradient",))
        self._own = {}

    def _are_weighed(self, before: Tensors, weight: float) -> bool:
        """Whether B's gradients of this pass are A's times a number, but for rounding."""
        pairs = [(own, self._watcher.tensor(b).grad, before.get(b)) for b, own in self._own.items()]
        return are_weighed(pairs, weight)

    def _note_root(self, begin: Event, root: list[Any], roots: list[Any]) -> None:
        """Another loss than A's goes backward, though all that it is made of is A's."""
        values, follows = (root[0], roots[0]), self._notes.follows
        self._notes.follows = ""
        self._notes.unequal(self._watcher.step, "gradient", "loss", *values, roots=[root, roots])
        self._notes.follows = follows

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
        self._own = {}

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
            if self._notes.puts("clip", "norm"):
                _clip_as(clips, optimizer)
            return
        theirs = [{k: c[k] for k in ("name", "bound", "norm", "late")} for c in clips]
        if self._compared != counts and event.record["passes"] == self._watcher.passes:
            self._take_back()
            ours = self._watcher.parameters.gradients().record
        self._emptied = self._emptied_by_b(event.record["gradient"], ours)
        if self._compared == counts or not self._takes_the_sum(event, ours, theirs):
            self._compare_clipped(event, ours, theirs)

    def _emptied_by_b(self, theirs: Record, ours: Record) -> list[int]:
        """Gradients that B's script has zeroed before the step, though it is then given A's."""
        left, right = theirs["norms"].split(), ours["norms"].split()
        unequal = [(a, b) for a, b in self._unequal(theirs, ours) if float(left[a]) != 0]
        empty = [b for _, b in unequal if float(right[b]) == 0]
        grads = {b: self._watcher.tensor(b).grad for b in empty}
        return [b for b, grad in grads.items() if grad is None or not bool(grad.any())]

    def _compare_clipped(self, event: Event, ours: Record, theirs: list[Record]) -> None:
        """Where the raw gradients are A's: what clips, or anything else, have made of them."""
        if any(self._pairs.alone):  # their gradients are part of the norm
            self._notes.follows = self._notes.follows or "weights"
        told = {"clips": [theirs, self.own_clips], "norm": self._norms[0]}
        same = _calls(theirs) == _calls(self.own_clips)
        # Where both clip alike, something else has changed the gradients.
        link = "gradient" if same and theirs else "clip"
        if not same:
            self._note_changed(event, ours, told)
        self._compare(link, event.record["gradient"], ours, **told)
        if not same:
            self._note_bounds(theirs)
        # Clips are called alike in all steps, as a rule: the first one tells.
        self._has_other_clips = self._has_other_clips or not same
        self._stream.watches_clips = self._has_other_clips

    def _note_changed(self, event: Event, ours: Record, told: Record) -> None:
        """Where both clip otherwise, what else has changed the gradients, before or after that."""
        clipped = event.record["clipped"], self._watcher.clipped
        gets = event.record["gradient"], ours
        is_watched = self._stream.watches_clips
        found = [c[0][0] if c else g["tensors"] for c, g in zip(clipped, gets, strict=True)]
        before = self._unequal({"tensors": found[0]}, {"tensors": found[1]})
        after = any(c and c[-1][1] != g["tensors"] for c, g in zip(clipped, gets, strict=True))
        if is_watched and (before or after):
            when = "before" if before else "after"
            norms = gets[0]["norm"], gets[1]["norm"]
            step = self._watcher.step
            self._notes.unequal(step, "gradient", "changed", *norms, **told, when=when)

    def _takes_the_sum(self, event: Event, ours: Record, theirs: list[Record]) -> bool:
        """Backward passes that don't pair up: their sum is compared, as it was before any clip.

        False where that is equal, so that the clips can be compared as always.
        """
        step, passes = self._watcher.step, (event.record["passes"], self._watcher.passes)
        if event.record["raw"] and self._raw and not self._unequal(event.record["raw"], self._raw):
            self._norms = event.record["raw"]["norm"], self._raw["norm"]
            return False
        if passes[0] == passes[1] and self._is_mixed:
            counts = event.record["backwards"], self._watcher.backwards
            why = f"{counts[0]} and {counts[1]} backward passes that can't be paired"
            self._notes.uncompared(step, "gradient", why)
        elif passes[0] == passes[1]:
            names = ("raw", self._raw) if event.record["raw"] and self._raw else ("gradient", ours)
            backwards = event.record["backwards"], self._watcher.backwards
            self._compare("gradient", event.record[names[0]], names[1], backwards=backwards)
        elif not self.weights:
            why = f"{passes[0]} and {passes[1]} forward passes that can't be paired"
            self._notes.uncompared(step, "gradient", why)
        elif None in self.weights:
            # The pass that both make shows that B's loss is another. What its own loss says of the
            # other passes' weights proves nothing then.
            why = (
                f"{passes[0]} and {passes[1]} forward passes, and another gradient in the same one"
            )
            self._notes.uncompared(step, "gradient", why)
        else:
            self._weigh_passes(step, passes)
        if _calls(theirs) != _calls(self.own_clips):
            texts = [clip_text(clips) for clips in (theirs, self.own_clips)]
            self._notes.unequal(step, "clip", "bound", *texts, calls=[theirs, self.own_clips])
        self._put(event.record["gradient"], self._watcher.parameters.gradients().record)
        self._settled()
        return True

    def _weigh_passes(self, step: int, passes: tuple[int, int]) -> None:
        """B's passes beside each other: those that A hasn't got weigh what the others do."""
        given = [(weights, rows) for weights, rows in self._own_weights if None not in weights]
        # Of several losses in a pass the one that goes backward is that by which all weigh alike.
        by_loss = list(zip(*(weights for weights, _ in given), strict=False))
        rows = [rows for _, rows in given]
        is_even = any(
            are_alike(each) or are_alike([w / n for w, n in zip(each, rows, strict=True) if n])
            for each in by_loss
        )
        if len(given) < passes[1] or not by_loss or (not is_even and len(by_loss) > 1):
            why = f"{passes[0]} and {passes[1]} forward passes, of whose losses B makes one sum"
            self._notes.uncompared(step, "gradient", why)
        elif not is_even:
            self._notes.unequal(step, "gradient", "weight of a pass", None, list(by_loss[0]))

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
        unequal, total = self._unequal(theirs, ours), len(self._pairs.pairs)
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
        more |= {"count": len(unequal), "total": total}
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

    def _unequal(self, theirs: Record, ours: Record) -> list[tuple[int, int]]:
        """The places of unequal gradients, A's and B's."""
        left, right = theirs["tensors"].split(), ours["tensors"].split()
        known = [(a, b) for a, b in self._pairs.pairs if a < len(left) and b < len(right)]
        return [(a, b) for a, b in known if left[a] != right[b]]

    def _put(self, theirs: Record, ours: Record) -> None:
        left, unequal = theirs["tensors"].split(), self._unequal(theirs, ours)
        wanted = [a for a, _ in unequal if left[a] != ABSENT]
        values = self._stream.ask(get="gradients", places=wanted) if wanted else {}
        for a, b in unequal:
            tensor = self._watcher.tensor(b)
            self._own[b] = None if tensor.grad is None else tensor.grad.detach().clone()
            _give(tensor, joined(str(a), values, tensor))

    def end_step(self) -> None:
        """The optimizer has stepped."""
        for b in self._emptied:  # it would count as left over from this step
            self._watcher.tensor(b).grad = None
        self._own, self._emptied, self._later = {}, [], None
        self._has_put = self._is_mixed = False
        self.own_clips, self.weights, self._own_weights = [], [], []
        self._compared = None
        self._raw = {}


def _give(tensor: Tensor, gradient: Tensor | None) -> None:
    """A parameter's gradient: in its own memory, where it has any of that kind."""
    if (
        gradient is None
        or tensor.grad is None
        or gradient.is_sparse
        or tensor.grad.layout != gradient.layout
    ):
        tensor.grad = gradient
    else:
        tensor.grad.detach().copy_(gradient)


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
