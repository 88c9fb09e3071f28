"""The second training, B: compares each link with A's, notes what is unequal, puts A's in place."""

import math
from collections.abc import Callable, Collection
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from reference.ledger.record import Record
from reference.lockstep.evaluation_pairs import EvaluationPairs
from reference.lockstep.links import rng_field
from reference.lockstep.losses import loss_call
from reference.lockstep.model_parts import Undo
from reference.lockstep.notes import Notes
from reference.lockstep.other_models import put_look, put_other_model
from reference.lockstep.parameter_pairs import ParameterPairs
from reference.lockstep.put_autocast import put_autocast
from reference.lockstep.put_batch import LoaderPlacer
from reference.lockstep.put_gradients import GradientPlacer
from reference.lockstep.put_inputs import InputPlacer
from reference.lockstep.put_loss import LossPlacer
from reference.lockstep.put_modes import ModePlacer, Soft
from reference.lockstep.put_optimizer import OptimizerPlacer
from reference.lockstep.put_outputs import OutputPlacer
from reference.lockstep.put_state import StatePlacer
from reference.lockstep.put_weights import WeightPlacer
from reference.lockstep.side_report import Report
from reference.lockstep.stream import Event, Stream
from reference.lockstep.torch_hooks import Call
from reference.lockstep.watcher import OpenPass, Watcher, autocast_now, outputs_of
from reference.lockstep.wire import Connection
from reference.observe.generators import generator_states

NORM_CLIP = "clip_grad_norm_"


class TheOtherEnded(SystemExit):
    """A has no more steps."""


class Follower:
    """B's side of its hooks."""

    def __init__(
        self,
        peer: Connection,
        report: Report,
        put: Collection[str],
        leave_out: Collection[str] = (),
    ) -> None:
        self._report = report
        self.watcher = Watcher(self._evaluated)
        self.stream, self.notes = Stream(peer), Notes(report, put, leave_out)
        self._pairs = ParameterPairs()
        self._evaluations = EvaluationPairs(self.watcher, self.stream, self.notes)
        self._loaders = LoaderPlacer(self.watcher, self.stream, self.notes)
        self.stream.wanted = lambda: self._loaders.wanted
        self._soft = Soft()
        self._weights = WeightPlacer(self.watcher, self._pairs, self.stream, self.notes)
        self._modes = ModePlacer(self.watcher, self.notes, self._soft)
        self._inputs = InputPlacer(self.watcher, self.notes, self._loaders, self._soft)
        self._outputs = OutputPlacer(self.watcher, self.stream, self.notes, self._soft)
        self._gradients = GradientPlacer(self.watcher, self._pairs, self.stream, self.notes)
        self._optimizers = OptimizerPlacer(self.watcher, self._pairs, self.notes)
        self._states = StatePlacer(self.watcher, self._pairs, self.stream, self.notes)
        self._losses = LossPlacer(
            self.watcher,
            self.stream,
            self.notes,
            self._loaders,
            self._soft,
        )
        self._gradients.is_blind = lambda: (
            self._inputs.is_without_targets and not self._losses.is_seen
        )
        self._pass: OpenPass | None = None
        self._begun: Event | None = None  # A's pass, beside the open one
        self._is_open = False
        self._undo: list[Undo] = []  # at the step's end
        self._undo_autocast: Undo | None = None
        self._rng: dict[str, str] = {}
        self._unequal_rng: list[str] = []
        self._drew = False  # from a generator, within a pass of this step
        self._drawn_otherwise: set[str] = set()  # by the last pass itself, not by what came after
        self._goes_on = False  # to steps that A hasn't got

    def pass_begins(
        self, module: torch.nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[Any, ...] | None:
        """See `Side`."""
        self._report.check_processes()
        begun = self._pass = self.watcher.begin(module, args, kwargs)
        self._is_open = True
        self._soft.begin()
        step = self.watcher.step
        event = self._begun = self.stream.seek("pass", step=step, skip=("backward",))
        self._evaluations.note_those_of_a()
        self._pairs.add(None if event is None else event.record["record"], begun.record)
        if event is None:
            return None
        if not self._pairs.pairs:
            self.notes.cannot(step, "weights", self._pairs.strangers_text())
            self._begun = None
            return None
        self._weights.weights(event)
        self._loaders.look_at(generator_states())
        self._unequal_rng, self._rng = self._modes.generators(event)
        for undo in (
            self._weights.frozen(event),
            self._modes.modes(event, begun),
            self._modes.settings(event, begun),
        ):
            if undo is not None:
                self._undo.append(undo)
        self._autocast(event)
        return self._inputs.inputs(event, begun, args, kwargs)

    def part_begins(self) -> None:
        """See `Side`."""
        if self._begun is None:
            return
        number = self._begun.number
        event = self.stream.seek(
            "inner",
            step=self.watcher.step,
            fits=lambda e: e.number == number,
            until=lambda e: e.kind == "pass_end" and e.number == number,
        )
        if event is not None:
            self._autocast(event)

    def _autocast(self, event: Event) -> None:
        """Accelerate turns it on within the model's own forward, others around it."""
        assert self._pass is not None
        theirs, ours = event.record["autocast"], autocast_now(self._pass.module)
        if theirs == ours:
            return
        if event.kind == "inner" or self._pass.parts.is_alone:
            step = self.watcher.step
            self.notes.unequal(step, "forward", "autocast", theirs, ours, number=event.number)
            if self.notes.puts("forward", "autocast"):
                self._undo_autocast = put_autocast(self._pass.module, theirs)

    def pass_ends(self, output: Any) -> Any:
        """See `Side`."""
        self._is_open = False
        if self._undo_autocast is not None:
            self._undo_autocast()
            self._undo_autocast = None
        assert self._pass is not None
        given = outputs_of(output).get("loss")
        if given is not None and given.numel() == 1:  # the model's own, made of others or not
            self._gradients.losses.append(given.detach().item())
        if self._begun is None:
            return None
        number = self._begun.number
        event = self.stream.seek(
            "pass_end", step=self.watcher.step, fits=lambda e: e.number == number
        )
        if event is None:  # A's pass has raised
            return None
        self._losses.after(event)
        after = generator_states()
        drawn = {name for name, state in after.items() if self._rng.get(name, state) != state}
        self._drew = self._drew or bool(drawn or event.record["drawn"])
        for name in self._unequal_rng:
            draws = name in event.record["drawn"] or name in drawn
            step = self.watcher.step
            # It stood there before the pass: what the pass has come to isn't why.
            follows = "rng" if name in self._drawn_otherwise else ""
            more: Record = {"of": rng_field(step, number), "follows": follows, "soft": not draws}
            self.notes.unequal(step, "rng", name, None, None, **more)
        left = event.record["after"]
        self._drawn_otherwise = {n for n, state in after.items() if left.get(n, state) != state}
        self._loaders.go_on()
        own = outputs_of(output)
        self._pass.outputs = own
        return self._outputs.compare(event, output, own)

    def pass_fails(self) -> None:
        """See `Side`."""
        self._is_open = False

    def looks(
        self, module: torch.nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[Any, ...] | None:
        """See `Side`."""
        trains, step = self.watcher.trains(module), self.watcher.step
        others = self.watcher.others
        told = others.take(module, step, trains=trains)
        if told is not None:
            put_other_model(module, told, step, self.stream, self.notes, others.partners)
        number = others.number(module)
        if number is not None and not trains:
            made = self._loaders.explains
            theirs = others.partners.get(number, number)
            args = put_look(module, args, kwargs, theirs, step, self.stream, self.notes, made=made)
        self.watcher.evaluations.begin(module, args, kwargs)
        return args

    def has_looked(self, output: Any) -> None:
        """See `Side`."""
        self._loaders.looked()
        self.watcher.evaluations.end(self.watcher.step, output)

    def loss(self, name: str, function: Call, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """See `Side`."""
        call = loss_call(name, function, args, kwargs)
        if self._begun is None:
            result = call.run()
        else:
            result = self._losses.compute(call, self._begun.number, inside=self._is_open)
        if isinstance(result, Tensor) and result.numel() == 1:
            self._gradients.losses.append(result.detach().item())
        return result

    def backward(self, tensors: list[Tensor], run: Callable[[], None]) -> None:
        """See `Side`."""
        self._gradients.backward(tensors, run)

    def clip(self, name: str, bound: float, run: Callable[[float], Any]) -> Any:
        """See `Side`."""
        if self.notes.puts("clip", "norm") and not self.notes.is_whole:
            # A's own clips are made in its place, when the optimizer is about to step.
            return run(math.inf) if name == NORM_CLIP else None
        late = self.watcher.passes == 0
        with self.watcher.clipping(is_watched=self.stream.watches_clips and not late):
            result = run(bound)
        norm = float(result) if isinstance(result, Tensor) else None
        clip = {"name": name, "bound": bound, "norm": norm, "late": late}
        self._gradients.own_clips.append(clip)
        return result

    def step_begins(self, optimizer: Optimizer) -> None:
        """See `Side`."""
        step = self.watcher.step
        event = self.stream.seek("step", step=step, skip=("backward", "backward_begin"))
        if event is None:
            self._goes_on = True
            raise TheOtherEnded
        passes = event.record["passes"], self.watcher.passes
        if passes[0] != passes[1]:
            rows = event.record["rows"], list(self.watcher.rows)
            weights = list(self._gradients.weights)
            self.notes.unequal(step, "batch", "passes", *passes, rows=rows, weights=weights)
            self._loaders.shift(passes[0] - passes[1])
        self._gradients.before_step(event, optimizer)
        undo = self._optimizers.compare(event.record, optimizer)
        self._gradients.in_no_group = self._optimizers.in_no_group
        same_class = not self._optimizers.class_is_unequal
        self._states.before_step(event.record["state"], optimizer, same_class=same_class)
        if undo is not None:
            self._undo.append(undo)
        self.stream.release()

    def step_ends(self, optimizer: Optimizer) -> None:
        """See `Side`."""
        step = self.watcher.step
        event = self.stream.seek("step_end", step=step)
        for undo in reversed(self._undo):
            undo()
        self._undo = []
        if event is not None:
            ours = self.watcher.parameters.values()
            before = self.notes.count
            if self.notes.is_whole or self.notes.puts("update"):
                self._weights.put_weights("update", event.record["update"], ours)
            unequal_weights = self.notes.count > before
            if self.notes.is_whole:
                self._weights.put_buffers_of_update(event, ours, self._soft)
            how = self._optimizers.how_is_unequal
            # Its way to compute is A's from now on, if that is another.
            self._optimizers.puts_how = self._optimizers.puts_how or (unequal_weights and how)
            same_class = not self._optimizers.class_is_unequal
            if unequal_weights or how or not same_class:
                self._states.after_step(optimizer, same_class=same_class)
        self._evaluations.note_those_of_a()
        self.stream.release()
        self.stream.forget(step, takes_batches=self._loaders.takes)
        self.watcher.end_step()
        self._gradients.end_step()
        self._inputs.end_step()
        self._soft.end_step()
        self._losses.is_seen = False
        self.notes.end_step(step, drew=self._drew)
        self._drew = False

    def loader_yields(self, dataset: Any, batch: Any) -> Any:
        """See `Side`."""
        return self._loaders.yields(dataset, batch)

    def _evaluated(self, ours: Record) -> None:
        self._evaluations.compare(ours)

    def end(self) -> Record:
        """The script has ended; how it stands beside A's end."""
        self.watcher.evaluations.close()
        self.stream.wait()
        self._evaluations.note_those_of_a()
        self._inputs.note_content()
        self.notes.end_step(self.watcher.step, drew=False, over=True)
        ended = self.stream.ended
        if ended is None:
            return {"others_steps": None}
        ours = self.watcher.parameters.values()
        left, right = ended.record["weights"]["tensors"].split(), ours["tensors"].split()
        pairs = [(a, b) for a, b in self._pairs.pairs if a < len(left) and b < len(right)]
        equal = all(left[a] == right[b] for a, b in pairs)
        equal = equal and not self._weights.unequal_buffers(ended.record["weights"], ours)
        final = {}
        if not self.notes.is_whole:
            apart = self._weights.apart(pairs)
            losses, scores = self._gradients.last_losses, self._evaluations.scores
            final = {"loss": losses, "weights": apart, "scores": scores}
        self.stream.release()
        told = {"others_steps": ended.record["steps"], "goes_on": self._goes_on}
        if self.notes.is_whole:
            return {**told, "weights_equal": equal}
        return {**told, "final": final}
