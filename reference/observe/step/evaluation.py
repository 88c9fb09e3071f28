"""Evaluations: what models take and give in forward passes that are no part of a step.

Passes of one model that follow each other make one evaluation, until a step, the scores or the end
comes. Its rows are hashed in their order, so that it doesn't matter how they were batched.
"""

from collections.abc import Callable, Mapping

import torch
import xxhash

from reference.ledger.record import Record
from reference.observe.generators import hash_torch
from reference.observe.step import describe
from reference.observe.step.content import Content
from reference.observe.step.evaluation_streams import Streams
from reference.observe.step.loss_content import Loss
from reference.observe.step.passes_after_passes import Given, GoingOn
from reference.observe.step.sets_of_rows import SetsOfRows
from reference.observe.tensors.seen_models import SeenModel

FEW = 4  # values of one argument that are kept
MOST_LOSSES = 8  # of one name after one pass that are told apart
MOST_SETS = 8  # sets of rows that are told apart in one evaluation


class _Stretch:
    """Some passes that follow each other: all of an evaluation, or one set of rows in it."""

    def __init__(self, *, again: bool = False) -> None:
        self.count = 0
        self._again = again  # it begins with rows that have come before
        self._lengths, self._shapes = xxhash.xxh3_64(), xxhash.xxh3_64()
        self._own, self._whole = Streams(), Streams()
        self._computed: set[str] = set()  # inputs that other passes gave
        self._losses: set[str] = set()
        self._not_looked_into: set[str] = set()
        self._going_on = GoingOn()

    def add(self, content: Content) -> None:
        """Add one more pass."""
        if content.goes_on:
            self._going_on.add(content)
            return
        self._going_on.begin()
        self._shapes.update(content.shape.encode())
        if content.rows is not None:
            self.count += content.rows.count
            self._lengths.update(content.rows.lengths)
            self._shapes.update(content.rows.layout)
        self.add_parts(content)

    def add_parts(self, content: Content) -> None:
        """Add what a pass takes and gives, or a loss that is computed of it."""
        self._computed |= content.computed
        self._losses |= content.losses
        self._not_looked_into |= content.not_looked_into
        self._own.add(content)
        self._whole.add_whole(content)

    def record(self) -> Record:
        """What it is so far."""
        record: Record = {
            "count": self.count,
            "batches": self._shapes.hexdigest(),
            "rows": self._lengths.hexdigest(),
            **self._own.record(),
        }
        if self._whole.inputs:
            record["whole"] = self._whole.record()
        named = {"computed": self._computed, "losses": self._losses}
        named["not_looked_into"] = self._not_looked_into
        record |= {name: sorted(found) for name, found in named.items() if found}
        if self._going_on.passes:
            record["going_on"] = self._going_on.record()
        return {**record, "again": True} if self._again else record


class Evaluation:
    """One evaluation of one model.

    Args:
        step: the steps before it.
        model: whose passes it is made of; None where none could be recorded.
        mode: whether the model is in training mode, where dropout draws numbers; and what autocast
            computes in, or 'off'.
        where_sets_begin: is told its passes.
    """

    def __init__(
        self,
        step: int,
        model: SeenModel | None,
        mode: tuple[bool, str],
        where_sets_begin: SetsOfRows,
    ) -> None:
        self.scores: dict[str, describe.Number] = {}
        self.has_scores = False
        self.unseen = ""  # why some of it couldn't be recorded
        self._step, self._model = step, model
        self._training, self._autocast = mode
        self._all = _Stretch()
        self._sets: list[_Stretch] | None = []  # None: too many, so that nobody tells them apart
        self._where_sets_begin = where_sets_begin
        self._last: Content | None = None  # the pass that came last
        self._losses: dict[str, int] = {}  # how many of each name came since then
        self._arguments: dict[str, list[object]] = {}  # by name, distinct values
        self._rng = hash_torch(torch.get_rng_state()) if self._training else None
        self._held = "" if model is None else model.values()
        self._is_precise = model is not None and _is_precise(model, self._autocast)

    def add(self, content: Content) -> None:
        """Add one more pass."""
        content.settle()
        if not content.goes_on:
            self._is_precise = self._is_precise and not content.gives_halves
            self._take_arguments(content)
            self._last, self._losses = content, {}
            begins = self._where_sets_begin.begins_one(content)
            if begins and self._sets is not None:
                another = _Stretch(again=self._where_sets_begin.again)
                self._sets = [*self._sets, another] if len(self._sets) < MOST_SETS else None
        self._all.add(content)
        if self._sets:
            self._sets[-1].add(content)

    def add_loss(self, loss: Loss) -> None:
        """Add what a loss is given and makes: of rows that the last pass has brought."""
        number = 1
        rows = None if self._last is None else self._last.rows
        if rows is not None and loss.of_rows() >= rows.count:  # one of all rows, as of two outputs
            number = self._losses[loss.name] = self._losses.get(loss.name, 0) + 1
        content = loss.content(self._last, min(number, MOST_LOSSES))
        self._take_arguments(content)
        for stretch in (self._all, *(self._sets or ())[-1:]):
            stretch.add_parts(content)

    def _take_arguments(self, content: Content) -> None:
        for name, value in content.arguments.items():
            values = self._arguments.setdefault(name, [])
            if value not in values and len(values) < FEW:
                values.append(value)

    def record(self) -> Record:
        """Its line in the ledger."""
        record: Record = {"kind": "evaluation", "step": self._step}
        if self._model is not None:
            trained = self._model.trained or self._model.of_trained
            record |= {"model": self._model.name, "trained": trained}
            if self._training:
                record |= self._model.in_train_mode()
        record["metrics"] = self._metrics()
        return {**record, "unseen": self.unseen} if self.unseen else record

    def _metrics(self) -> Record:
        metrics: Record = {
            "training": self._training,
            "autocast": self._autocast,
            "precise": self._is_precise,
            "held": self._held,
            **self._all.record(),
            "scores": self.scores,
        }
        if self._sets is not None and len(self._sets) > 1 and self._where_sets_begin.are_known():
            metrics["sets"] = [each.record() for each in self._sets]
        if self._rng is not None:
            metrics["rng"] = self._rng
        if self._arguments:
            each = self._arguments.items()
            metrics["arguments"] = {
                n: v[0] if len(v) == 1 else ", ".join(map(str, v)) for n, v in each
            }
        return metrics


def _is_precise(model: SeenModel, autocast: str) -> bool:
    """Whether all of it is computed in float32 or better, as far as can be told."""
    best = torch.get_float32_matmul_precision() == "highest"
    return best and autocast == "off" and model.is_precise()


class Evaluations:
    """The evaluations that are open, one for each model.

    Args:
        write: gets their records at the end.
        loaders: how many times a loader was begun by now.
    """

    def __init__(
        self, write: Callable[[Record], None], loaders: Callable[[], int] = lambda: 0
    ) -> None:
        self._write, self._loaders = write, loaders
        self._loaders_before = loaders()
        self._open: dict[str, Evaluation] = {}
        self._last: Evaluation | None = None  # of the pass that came last
        self._missed = ""  # why a pass couldn't be recorded
        self.given = Given()  # what the passes so far gave

    def add(self, step: int, model: SeenModel, mode: tuple[bool, str], content: Content) -> None:
        """A forward pass after `step` steps."""
        self._opened(step, model, mode).add(content)

    def add_loss(self, loss: Loss) -> None:
        """A loss that isn't a part of a model, after the last pass."""
        if self._last is not None:
            self._last.add_loss(loss)

    def is_open(self) -> bool:
        """Whether there is one, to which a loss could belong."""
        return self._last is not None

    def miss(self, step: int, why: str) -> None:
        """A pass that can't be recorded, of a model that isn't known.

        The records of all the evaluations around it say so, and aren't compared.
        """
        if self._last is None or self._last.has_scores:
            self._opened(step, None, (False, "off"))
        self._missed = why

    def taint(self, why: str) -> None:
        """Something that is no evaluation's was taken for a pass of the open one."""
        if self._last is not None:
            self._last.unseen = why

    def add_scores(self, scores: Mapping[str, float]) -> None:
        """The scores of the last evaluation, after which the next pass begins another."""
        if self._last is not None:
            self._last.scores.update({k: describe.number(v) for k, v in scores.items()})
            self._last.has_scores = True

    def close(self) -> None:
        """Write the open evaluations: a step or the end comes."""
        for evaluation in self._open.values():
            evaluation.unseen = evaluation.unseen or self._missed
            self._write(evaluation.record())
        self._open, self._last, self._missed = {}, None, ""
        self.given.forget()
        self._loaders_before = self._loaders()

    def _opened(self, step: int, model: SeenModel | None, mode: tuple[bool, str]) -> Evaluation:
        if self._last is not None and self._last.has_scores:
            self.close()
        key = "" if model is None else f"{model.name} {mode}"
        if key not in self._open:
            sets = SetsOfRows(self._loaders, self._loaders_before)
            self._open[key] = Evaluation(step, model, mode, sets)
        self._last = self._open[key]
        return self._last
