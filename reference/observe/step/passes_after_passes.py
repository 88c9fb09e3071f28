"""What a pass of an evaluation has to do with those before it.

It may go on from one: a text is told on, a token a pass, by what the model gave and keeps. It may
take what another model gave. And it may be the first pass of the same rows again.
"""

import weakref
from collections.abc import Callable, Iterable, Mapping

import torch
import xxhash
from torch import Tensor

from reference.ledger.record import Record
from reference.observe.step.content import Content

MOST = 4  # times that an evaluation is begun again, of which it is kept what was before
KEPT = "past_key_values"  # what `transformers` calls what is kept; a beam search copies it
MOST_SIZES = 3  # of batches: the usual one, and the last ones of two data sets


class Given:
    """What passes gave a while ago, as far as it is still there; and the last one's ids."""

    def __init__(self) -> None:
        self._of: dict[int, list[weakref.ref[Tensor]]] = {}  # by a model's id, of its last pass
        self._ids: dict[int, dict[str, Tensor]] = {}

    def look_at(self, model: int, content: Content, inputs: Mapping[str, Tensor]) -> None:
        """Say of a pass which of its inputs are outputs, and whether it goes on from the last."""
        own = _addresses(self._of.get(model, ()))
        others = _addresses(r for number, each in self._of.items() if number != model for r in each)
        places = {name: address for name, t in inputs.items() if (address := _address(t))}
        content.computed = {name for name, place in places.items() if place in own | others}
        ids = {n: t.detach() for n, t in inputs.items() if t.dim() == 2 and not _is_real(t)}
        before = self._ids.get(model, {})
        kept = any(name.startswith(KEPT) and t.numel() for name, t in inputs.items())
        content.goes_on = (kept and model in self._of) or any(
            place in own for place in places.values()
        )
        content.goes_on = content.goes_on or (
            # A mask, or positions, begin as those of any other shorter rows do.
            ids.keys() == before.keys()
            and len(ids) > 0
            and all(_begins_with(ids[name], before[name]) for name in ids)
        )
        self._ids[model] = {name: t.clone() for name, t in ids.items()}

    def give(self, model: int, outputs: Iterable[Tensor]) -> None:
        """What that pass gives."""
        self._of[model] = [weakref.ref(t) for t in outputs if t.dim() > 1]

    def forget(self) -> None:
        """Another step begins."""
        self._of, self._ids = {}, {}


def _addresses(references: Iterable["weakref.ref[Tensor]"]) -> set[int]:
    there = (reference() for reference in references)
    return {_address(tensor) for tensor in there if tensor is not None} - {0}


def _address(tensor: Tensor) -> int:
    plain = type(tensor) is Tensor and tensor.layout == torch.strided and not tensor.is_nested
    return tensor.untyped_storage().data_ptr() if plain else 0


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
        _update(self._hash, content, outputs=True)

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


class Again:
    """Where the rows of an evaluation may be evaluated once more, or others after them."""

    def __init__(self) -> None:
        self._first = ""  # a hash of the first pass's rows
        self._was_short = False
        self._sizes: list[int] = []  # of the passes, each once
        self._begun: list[Record] = []  # what was before the first rows came again
        self._after_short: list[Record] = []  # and before a pass after one of fewer rows

    def earlier(self) -> list[Record]:
        """What the evaluation was where one may have ended.

        A pass of fewer rows than the first is the last one of a data set; but for batches that are
        all of other sizes.
        """
        ends = self._after_short if len(self._sizes) <= MOST_SIZES else []
        return [*self._begun, *ends][:MOST]

    def look_at(self, content: Content, so_far: Callable[[], Record]) -> None:
        """A pass comes.

        Args:
            content: What it takes.
            so_far: Gives what the evaluation is before it.
        """
        digest = xxhash.xxh3_64()
        _update(digest, content, outputs=False)
        hashed, rows = digest.hexdigest(), 0 if content.rows is None else content.rows.count
        if not self._first:
            self._first = hashed
        elif hashed == self._first and len(self._begun) < MOST:
            self._begun.append(so_far())
        elif self._was_short and len(self._after_short) < MOST:
            self._after_short.append(so_far())
        if rows not in self._sizes and len(self._sizes) <= MOST_SIZES:
            self._sizes.append(rows)
        self._was_short = rows < self._sizes[0]


def _update(digest: xxhash.xxh3_64, content: Content, *, outputs: bool) -> None:
    for parts in (content.inputs, content.outputs) if outputs else (content.inputs,):
        for part in parts.values():
            digest.update(part.form.encode())
            digest.update(part.values)
