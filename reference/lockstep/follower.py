"""The second training, B: compares each link with A's, notes what is unequal, puts A's in place."""

import math
from collections.abc import Callable, Collection
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from reference.ledger.link_table import METRICS
from reference.ledger.record import Record
from reference.lockstep.arguments_put import in_place_of, put_outputs
from reference.lockstep.evaluations import unequal_fields
from reference.lockstep.losses import loss_call
from reference.lockstep.model_parts import Undo
from reference.lockstep.notes import Notes
from reference.lockstep.optimizer_state import put_state, state_of
from reference.lockstep.other_models import put_look, put_other_model
from reference.lockstep.packing import comparable, described_all
from reference.lockstep.parameter_pairs import ParameterPairs
from reference.lockstep.put_autocast import put_autocast
from reference.lockstep.put_batch import LoaderPlacer
from reference.lockstep.put_gradients import GradientPlacer
from reference.lockstep.put_inputs import InputPlacer
from reference.lockstep.put_loss import LossPlacer
from reference.lockstep.put_modes import ModePlacer, Soft
from reference.lockstep.put_optimizer import OptimizerPlacer
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
        self.watcher = Watcher(self._compare_evaluation)
        self.stream, self.notes = Stream(peer), Notes(report, put, leave_out)
        self._pairs = ParameterPairs()
        self._loaders = LoaderPlacer(self.watcher, self.stream, self.notes)
        self.stream.wanted = lambda: self._loaders.wanted
        self._soft = Soft()
        self._weights = WeightPlacer(self.watcher, self._pairs, self.stream, self.notes)
        self._modes = ModePlacer(self.watcher, self.notes, self._soft)
        self._inputs = InputPlacer(self.watcher, self.notes, self._loaders, self._soft)
        self._gradients = GradientPlacer(self.watcher, self._pairs, self.stream, self.notes)
        self._optimizers = OptimizerPlacer(self.watcher, self._pairs, self.notes)
        self._losses = LossPlacer(
            self.watcher,
            self.stream,
            self.notes,
            self._loaders,
            self._soft.suspects,
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
        self._scores: list[Record] = [{}, {}]  # of the last evaluation, A's and B's
        self._drew = False  # from a generator, within a pass of this step
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
        self._note_evaluations_of_a()
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
            self.notes.unequal(step, "rng", name, None, None, number=number, soft=not draws)
        self._loaders.go_on()
        own = outputs_of(output)
        self._pass.outputs = own
        return self._compare_outputs(event, output, own)

    def _compare_outputs(self, event: Event, output: Any, own: dict[str, Tensor]) -> Any:
        theirs, ours = event.record["outputs"], described_all(comparable(own))
        names = _common(theirs, ours)
        unequal = {a: b for a, b in names if theirs[a]["hash"] != ours[b]["hash"]}
        if not unequal:
            self._soft.idle()
            return None
        step = self.watcher.step
        first = next(iter(unequal))
        numbers = event.record["numbers"]
        mine = {b: own[b].item() for b in unequal.values() if own[b].numel() == 1}
        loss = next((a for a, b in unequal.items() if a in numbers and b in mine), None)
        values = (numbers[loss], mine[unequal[loss]]) if loss is not None else (None, None)
        because = self._soft.suspects()
        more = {"first": first, "names": list(unequal), "number": event.number, "because": because}
        self.notes.unequal(step, "forward", "outputs", *values, **more)
        self._soft.matter()
        self.notes.follows = "forward"
        if not self.notes.is_whole:
            return None
        fits = {a: b for a, b in unequal.items() if theirs[a]["shape"] == ours[b]["shape"]}
        if len(fits) < len(unequal):
            self.notes.cannot(step, "forward", f"{first} has another shape")
        if not fits:
            return None
        values_of = self.stream.ask(get="outputs", names=list(fits), **{"pass": event.number})
        put = {}
        for a, b in fits.items():
            like = own[b]
            put[b] = in_place_of(like, values_of[a].to(like.device, like.dtype))
        return put_outputs(output, put)

    def pass_fails(self) -> None:
        """See `Side`."""
        self._is_open = False

    def looks(
        self, module: torch.nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[Any, ...] | None:
        """See `Side`."""
        trains = self.watcher.trains(module)
        told = self.watcher.others.take(module, trains=trains)
        if told is not None:
            put_other_model(module, told, self.watcher.step, self.stream, self.notes)
        number = self.watcher.others.number(module)
        if number is not None and not trains:
            step = self.watcher.step
            made = self._loaders.explains
            args = put_look(module, args, kwargs, number, step, self.stream, self.notes, made=made)
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
            return call.run()
        return self._losses.compute(call, self._begun.number, inside=self._is_open)

    def backward(self, tensors: list[Tensor], run: Callable[[], None]) -> None:
        """See `Side`."""
        self._gradients.backward(tensors, run)

    def clip(self, name: str, bound: float, run: Callable[[float], Any]) -> Any:
        """See `Side`."""
        if self.notes.puts("clip", "norm") and not self.notes.is_whole:
            # A's own clips are made in its place, when the optimizer is about to step.
            return run(math.inf) if name == NORM_CLIP else None
        result = run(bound)
        norm = float(result) if isinstance(result, Tensor) else None
        late = self.watcher.passes == 0
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
            self.notes.unequal(step, "batch", "passes", *passes)
        self._gradients.before_step(event, optimizer)
        undo = self._optimizers.compare(event.record, optimizer)
        self._gradients.in_no_group = self._optimizers.in_no_group
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
            if unequal_weights:
                self._after_unequal_update(optimizer)
        self._note_evaluations_of_a()
        self.stream.release()
        self.stream.forget(step, takes_batches=self._loaders.takes)
        self.watcher.end_step()
        self._gradients.end_step()
        self._inputs.end_step()
        self._soft.end_step()
        self._losses.is_seen = False
        self.notes.end_step(step, drew=self._drew)
        self._drew = False

    def _after_unequal_update(self, optimizer: Optimizer) -> None:
        """A's state beside its weights; and from now on A's way to compute, if that is another."""
        if self._optimizers.how_is_unequal:
            self._optimizers.puts_how = True
        if self.notes.puts("update"):
            state = self.stream.ask(get="state")
            theirs = {float(v) for name, v in state.items() if name.endswith(".step")}
            ours = {
                float(v)
                for name, v in state_of(optimizer, self.watcher.parameters).items()
                if name.endswith(".step")
            }
            if len(theirs) == len(ours) == 1 and theirs != ours:
                self.notes.amend(state_of_step=[theirs.pop(), ours.pop()])
            put_state(optimizer, self.watcher.parameters, self._pairs.own, state)

    def loader_yields(self, dataset: Any, batch: Any) -> Any:
        """See `Side`."""
        return self._loaders.yields(dataset, batch)

    def _compare_evaluation(self, ours: Record) -> None:
        """One of B's, with A's of the same place."""
        step = self.watcher.step
        event = self.stream.seek(
            "evaluation", step=step, until=lambda e: e.kind == "pass" and e.record["step"] == step
        )
        if event is None:
            self.notes.unequal(step, METRICS, "evaluations", 0, 1, soft=True)
            return
        records = event.record["record"], ours
        self._scores = [record[METRICS]["scores"] for record in records]
        for field, left, right, matters in unequal_fields(*records, is_first=step == 1):
            self.notes.unequal(step, METRICS, field, left, right, soft=not matters)

    def _note_evaluations_of_a(self) -> None:
        """Those that have come by now and that no evaluation of B's was held against."""
        for event in self.stream.left_over("evaluation"):
            self.notes.unequal(event.record["step"], METRICS, "evaluations", 1, 0, soft=True)

    def end(self) -> Record:
        """The script has ended; how it stands beside A's end."""
        self.watcher.evaluations.close()
        self.stream.wait()
        self._note_evaluations_of_a()
        self.notes.end_step(self.watcher.step, drew=False, over=True)
        ended = self.stream.ended
        if ended is None:
            return {"others_steps": None}
        ours = self.watcher.parameters.values()
        left, right = ended.record["weights"]["tensors"].split(), ours["tensors"].split()
        pairs = [(a, b) for a, b in self._pairs.pairs if a < len(left) and b < len(right)]
        equal = all(left[a] == right[b] for a, b in pairs)
        equal = equal and not self._weights.unequal_buffers(ended.record["weights"], ours)
        final = {} if self.notes.is_whole else self._final(pairs)
        self.stream.release()
        told = {"others_steps": ended.record["steps"], "goes_on": self._goes_on}
        if self.notes.is_whole:
            return {**told, "weights_equal": equal}
        return {**told, "final": final}

    def _final(self, pairs: list[tuple[int, int]]) -> Record:
        """Where both came to, where B was left to go its own way."""
        values = self.stream.ask(get="weights", places=[a for a, _ in pairs])
        apart = norm = furthest = 0.0
        for a, b in pairs:
            theirs = values[str(a)].double()
            difference = self.watcher.tensor(b).detach().to("cpu", torch.float64) - theirs
            apart += float(difference.square().sum())
            norm += float(theirs.square().sum())
            if difference.numel():
                furthest = max(furthest, float(difference.abs().max()))
        share = math.sqrt(apart / norm) if norm else 0.0
        weights = {"apart": share, "furthest": furthest}
        return {"loss": self._gradients.last_losses, "weights": weights, "scores": self._scores}


def _common(theirs: Record, ours: Record) -> list[tuple[str, str]]:
    """Outputs that both have: by name, and else by their shapes, in their order."""
    named = [(name, name) for name in theirs if name in ours]
    if named:
        return named
    left = list(ours)
    pairs = []
    for name, record in theirs.items():
        fit = next((n for n in left if ours[n]["shape"] == record["shape"]), None)
        if fit is not None:
            left.remove(fit)
            pairs.append((name, fit))
    return pairs
