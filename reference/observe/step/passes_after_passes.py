"""What a pass of an evaluation has to do with those before it.

It may go on from one: a text is told on, a token a pass, by what the model gave and keeps. Or it
may take what another model gave.
"""

import weakref
from collections.abc import Iterable, Mapping

import torch
import xxhash
from torch import Tensor

from reference.ledger.record import Record
from reference.observe.step.content import Content

KEPT = "past_key_values"  # what `transformers` calls what is kept; a beam search copies it

Places = list[tuple[int, int]]  # in memory: where tensors begin and end


class Given:
    """What passes gave a while ago, as far as it is still there; and the last one's ids."""

    def __init__(self) -> None:
        self._of: dict[int, list[weakref.ref[Tensor]]] = {}  # by a model's id, of its last pass
        self._taken: dict[int, Places] = {}  # by a model's id, what that pass took
        self._ids: dict[int, dict[str, Tensor]] = {}
        self._written: weakref.WeakValueDictionary[int, Tensor] = weakref.WeakValueDictionary()

    def look_at(
        self, model: int, content: Content, inputs: Mapping[str, Tensor], *, learns: bool
    ) -> None:
        """Say of a pass which of its inputs are outputs, and whether it goes on from the last.

        Real numbers may be computed of outputs where another model's pass came before, or where the
        module learns nothing: a metric or a loss.
        """
        own = _places_of(self._of.get(model, ()))
        others = _places_of(r for number, each in self._of.items() if number != model for r in each)
        taken = {name: _places([t]) for name, t in inputs.items()}
        content.computed = {name for name, at in taken.items() if _share(at, own + others)}
        if not learns or self._of.keys() - {model}:
            content.computed |= {name for name, t in inputs.items() if _is_real(t)}
        self._taken[model] = [place for at in taken.values() for place in at]
        ids = {n: t.detach() for n, t in inputs.items() if t.dim() == 2 and not _is_real(t)}
        before = self._ids.get(model, {})
        kept = any(name.startswith(KEPT) and t.numel() for name, t in inputs.items())
        content.goes_on = (kept and model in self._of) or _share(self._taken[model], own)
        content.goes_on = content.goes_on or (
            # A mask, or positions, begin as those of any other shorter rows do.
            ids.keys() == before.keys()
            and len(ids) > 0
            and all(_begins_with(ids[name], before[name]) for name in ids)
        )
        self._ids[model] = {name: t.clone() for name, t in ids.items()}

    def give(self, model: int, outputs: Iterable[Tensor]) -> None:
        """What that pass gives; but for its own inputs, and parts of them, which it gives back.

        The next pass may take its rows from the same memory, with other values.
        """
        taken = self._taken.get(model, [])
        given = (t for t in outputs if t.dim() > 1 and not _share(_places([t]), taken))
        self._of[model] = [weakref.ref(t) for t in given]

    def write(self, outputs: Iterable[Tensor]) -> None:
        """What a pass wrote into its arguments, which the next one is given again."""
        self._written.update((id(tensor), tensor) for tensor in outputs)

    def was_written(self, tensor: Tensor) -> bool:
        """Whether this very tensor was."""
        return self._written.get(id(tensor)) is tensor

    def has(self, tensor: Tensor) -> bool:
        """Whether this is what a pass gave, or lies in it."""
        every = _places_of(r for each in self._of.values() for r in each)
        return _share(_places([tensor]), every)

    def forget(self) -> None:
        """Another step begins."""
        self._of, self._taken, self._ids = {}, {}, {}


def _places_of(references: Iterable["weakref.ref[Tensor]"]) -> Places:
    there = (reference() for reference in references)
    return _places(tensor for tensor in there if tensor is not None)


def _places(tensors: Iterable[Tensor]) -> Places:
    """From where to where they lie in memory; slices of one tensor lie in several places."""
    places = []
    for tensor in tensors:
        plain = type(tensor) is Tensor and tensor.layout == torch.strided and not tensor.is_nested
        if plain and tensor.numel() and tensor.data_ptr():
            steps = zip(tensor.shape, tensor.stride(), strict=True)
            last = sum((size - 1) * stride for size, stride in steps)
            begin = tensor.data_ptr()
            places.append((begin, begin + (last + 1) * tensor.element_size()))
    return places


def _share(some: Places, others: Places) -> bool:
    """Whether any of the one lies where any of the other does."""
    return any(a < end and begin < b for a, b in some for begin, end in others)


def _is_real(tensor: Tensor) -> bool:
    return tensor.is_floating_point() or tensor.is_complex()


def _begins_with(ids: Tensor, before: Tensor) -> bool:
    """Whether these are the ids before, each row with more at its end."""
    return (
        ids.dtype == before.dtype
        and ids.device == before.device
        and len(ids) == len(before)
        and ids.shape[1] > before.shape[1] > 0
        and bool((ids[:, : before.shape[1]] == before).all())
    )


class GoingOn:
    """The passes that go on from others: in other batches they are others, in another order."""

    def __init__(self) -> None:
        self.passes = 0
        self._row = self._longest = 0
        self._hash, self._shapes = xxhash.xxh3_64(), xxhash.xxh3_64()

    def add(self, content: Content) -> None:
        """Add one."""
        self.passes += 1
        self._row += 1
        self._longest = max(self._longest, self._row)
        self._shapes.update(content.shape.encode())
        update(self._hash, content, outputs=True)

    def begin(self) -> None:
        """A pass comes that goes on from none."""
        self._row = 0

    def record(self) -> Record:
        """Their number, and a hash of all that they take and give.

        `longest`: how many follow each other at most. In other batches it is the same, where a
        batch is told on until its last text ends.
        """
        shapes = self._shapes.hexdigest()
        hashes = {"hash": self._hash.hexdigest(), "shapes": shapes}
        return {"passes": self.passes, "longest": self._longest, **hashes}


def update(digest: xxhash.xxh3_64, content: Content, *, outputs: bool) -> None:
    """Add to a hash what a pass takes; with `outputs` also what it gives."""
    for parts in (content.inputs, content.outputs) if outputs else (content.inputs,):
        for part in parts.values():
            digest.update(part.form.encode())
            digest.update(part.values)
