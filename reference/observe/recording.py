"""What is being recorded: the open step, the open evaluation, and what waits to be written.

One `Recording` is handed to all of an observer's hooks: they fill it, and it writes.
"""

import time
from collections.abc import Collection, Mapping

import torch

from reference.ledger.continuation import Earlier
from reference.ledger.odd_modules import OddModules
from reference.ledger.record import Record, Sink
from reference.observe.generators import StatesOfStep
from reference.observe.hooks.fail_safe import FailSafe
from reference.observe.step.chores import Chores
from reference.observe.step.evaluation import Evaluations
from reference.observe.step.forward_pass import ForwardPass
from reference.observe.step.left_gradients import LeftGradients
from reference.observe.step.open_step import OpenStep
from reference.observe.step.optimizer_ends import OptimizerEnds
from reference.observe.step.settings import Settings
from reference.observe.tensors.parameters import Parameters
from reference.observe.tensors.seen_models import SeenModels


class EndedAsAsked(SystemExit):
    """The training has taken the step that was asked for as its last one."""


class Recording:
    """What an observer has seen so far, and where it writes.

    Args:
        writer: takes the records.
        stop_if_not_finite: the training is to stop before an update that isn't finite. Each forward
            pass keeps its inputs then, for the error to name them.
        uncalled: models that nobody calls are looked for, too (`tensors/uncalled_models.py`).
        inside: the steps of which the calls within forward passes are recorded (`step/inside.py`).
        until: the last step: the next forward pass raises EndedAsAsked. None for all.
        after: what was recorded before; this one goes on from there, and knows the same models.
    """

    def __init__(
        self,
        writer: Sink,
        *,
        stop_if_not_finite: bool = False,
        uncalled: bool = False,
        inside: Collection[int] = (),
        until: int | None = None,
        after: "Recording | None" = None,
    ) -> None:
        self.writer = writer
        self.fail_safe = FailSafe(writer)
        self.stop_if_not_finite = stop_if_not_finite
        self.inside = frozenset(inside)
        self._until = until
        self.ended_as_asked = False
        self.parameters: Parameters = Parameters() if after is None else after.parameters
        self.seen: SeenModels = SeenModels(uncalled=uncalled) if after is None else after.seen
        self.optimizers: OptimizerEnds = (
            OptimizerEnds(self.parameters) if after is None else after.optimizers
        )
        self.saved: dict[str, Record] = {}  # weights that were written, by the file's path
        self.generators = StatesOfStep()
        self.drawn: dict[str, str] = {}  # the generators when the last step's optimizer stepped
        self._odd = OddModules()
        self.called: dict[type, int] = {}  # passes with gradients on, by class of the model
        self.backward_passes = 0
        self.settings: Settings = Settings() if after is None else after.settings
        self.loaders_begun = 0
        self.evaluations = self._no_evaluations()
        self.open_step = OpenStep()
        self.steps: int = 0 if after is None else after.steps  # that were written
        self.final_outputs: Record = {} if after is None else after.final_outputs
        self.seconds = 0.0  # from the first forward pass to the last update
        self._started = 0.0
        self._begun_after = 0  # steps of another process, whose run goes on here
        self._seconds_before = 0.0
        # The weights after the last update that was written.
        self.last_update: Record | None = None if after is None else after.last_update
        # Whether gradients may be there before the open step's first backward pass.
        self.may_be_left: bool = after is not None and after.may_be_left
        self.left_gradients: LeftGradients = (
            LeftGradients() if after is None else after.left_gradients
        )
        self.waiting: list[OpenStep] = []  # steps that the next forward pass ends
        self.fail_safe.when_lost.append(self._let_go)

    def begin_after(self, earlier: Earlier, drawn: Mapping[str, str], seconds: float) -> None:
        """See `Observer.begin_after`."""
        self.steps = self._begun_after = earlier.steps
        self.last_update = earlier.last.get("update")
        self.drawn, self._seconds_before = dict(drawn), seconds
        self.seconds = seconds

    @property
    def steps_taken(self) -> int:
        """How many steps were seen, written or not."""
        return self.steps + len(self.waiting)

    def begin_pass(self) -> None:
        """A forward pass of a whole model begins: the steps before it are over."""
        if torch.is_grad_enabled():
            self._started = self._started or time.perf_counter()
        self.parameters.let_go_of_gradients()
        self.write_steps()
        if self._until is not None and self.steps >= self._until:
            self.ended_as_asked = True
            self.fail_safe.stop(EndedAsAsked())
        self._evaluate(self.open_step.take_over())

    def leave_out(self, why: str) -> None:
        """A forward pass can't be recorded, so its step or evaluation goes without it."""
        if torch.is_grad_enabled():
            self.open_step.unseen = why
        else:
            self.evaluations.miss(self.steps, why)

    def take_step(self) -> None:
        """The optimizer has stepped: another step is open from now on."""
        for forward in self.open_step.used():
            if forward.seen is not None:
                self.seen.take_step_of(forward.seen)
            # It is no evaluation: its tensors go, also where the script keeps its graph.
            forward.content, forward.inputs, forward.losses_made = None, {}, []
        step = self.open_step
        self.waiting.append(step)
        self.seen.look_around(self.steps_taken - self._begun_after)
        if step.stepped is not None:
            step.chores.counts = self.seen.schedulers.counts(step.stepped.optimizer)
        # Another optimizer may step on the same gradients.
        self.open_step = OpenStep(chores=Chores(looked=step.chores.looked))
        self.seconds = self._seconds_before + time.perf_counter() - self._started

    def write_steps(self) -> None:
        """Write the steps that are over."""
        for step in self.waiting:
            self._evaluate(step.take_unused())
            self.evaluations.close()
            self.steps += 1
            self._look_at_draws(step)
            record = step.record(self.steps, self.parameters, self.last_update)
            if "mode" in record:
                record["mode"] = self._odd.in_short(record["mode"])
            settings = self.settings.take()
            if settings:
                record["settings"] = settings
            self.last_update = step.update
            self.may_be_left = not record["zeroed"]
            self.fail_safe.write(record)
            if step.used():
                self.final_outputs = step.used()[-1].told()
        self.waiting = []

    def _look_at_draws(self, step: OpenStep) -> None:
        """Whether torch's generator stands where the step before left it."""
        snapshot = step.snapshot()
        if snapshot is not None:
            begins, ended = (each.get("torch") for each in (snapshot.rng, self.drawn))
            step.chores.drew_before = None not in (begins, ended) and begins != ended
        self.drawn = step.drawn or self.drawn

    def add_scores(self, scores: Mapping[str, float]) -> None:
        """The scores of the evaluation that just ended."""
        self._evaluate(self.open_step.take_unused())
        self.evaluations.add_scores(scores)

    def write_rest(self) -> None:
        """Write what is still open: there is nothing more to come."""
        self.write_steps()
        # What autograd went through, and no step followed: a map of what the inputs do, say.
        self._evaluate(self.open_step.forwards)
        if self.open_step.unseen:
            self.evaluations.miss(self.steps, self.open_step.unseen)
        self.evaluations.close()

    def _let_go(self) -> None:
        """Nothing more is recorded: hold no tensor, and no copy of one."""
        self.parameters.let_go()
        self.optimizers.let_go()
        self.open_step, self.waiting = OpenStep(), []
        self.evaluations = self._no_evaluations()

    def _no_evaluations(self) -> Evaluations:
        return Evaluations(self.fail_safe.write, lambda: self.loaders_begun)

    def _evaluate(self, unused: list[ForwardPass]) -> None:
        """Forward passes with gradients on that were never backpropagated evaluate, too."""
        for forward in unused:
            if forward.seen is not None and forward.content is not None:
                mode = forward.training, str(forward.mode["autocast"])
                self.evaluations.add(self.steps, forward.seen, mode, forward.content)
                for loss in forward.losses_made:
                    self.evaluations.add_loss(loss)
