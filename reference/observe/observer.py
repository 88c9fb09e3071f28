"""Keeps a run's ledger from outside, through PyTorch's own hooks: the loop knows nothing of it.

Keep one: `python -m reference train manual`, then see `ledger.jsonl` in the run's folder; or of
any script: `python -m reference observe SCRIPT`.

The hooks are the global ones (any module's forward, any optimizer's step), one on each
parameter's gradient, and one on each model's output, which tells whether that forward pass was
backpropagated. They read, and change nothing. A step is all that happens up to an optimizer's
step, and is written when the next forward pass begins: the schedule has moved by then, and the
gradients are zeroed or not.
"""

import warnings
from collections.abc import Collection, Mapping
from contextlib import closing, suppress
from typing import Any

from torch.nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook
from torch.optim.optimizer import (
    register_optimizer_step_post_hook,
    register_optimizer_step_pre_hook,
)

from reference.ledger.continuation import Earlier
from reference.ledger.record import Record, Sink
from reference.messages import plain
from reference.observe.hooks.backward_passes import BackwardPasses
from reference.observe.hooks.clip_calls import ClipCalls
from reference.observe.hooks.fail_safe import guarded
from reference.observe.hooks.forward_passes import ForwardPasses
from reference.observe.hooks.loaders import Loaders
from reference.observe.hooks.loss_functions import LossFunctions
from reference.observe.hooks.optimizer_steps import OptimizerSteps, StepNotFinite
from reference.observe.hooks.saved_weights import SavedWeights
from reference.observe.recording import Recording
from reference.observe.step.describe import Number, beside
from reference.observe.step.optimizer_ends import left_beside
from reference.observe.torch_internals import WARNING_OF_HOOKS

__all__ = ["Observer", "StepNotFinite"]


class Observer:
    """Keeps the ledger of all that trains between `start` and `finish`, or within its `with`.

    What goes wrong in observing never reaches the training: the ledger ends, and says why. Only
    what the writer raises does.

    Args:
        writer: takes the records: one for each model, step and evaluation, and one at the end,
            which says whether the run was whole. It is closed then.
        stop_if_not_finite: whether an optimizer step after a loss or gradient that isn't finite
            raises StepNotFinite, before any weight has moved.
        uncalled: whether models are looked for that nobody calls: copies of those that train, such
            as an average of the weights, and modules used through methods of their own; takes
            about 0.3 s in some steps (`tensors/uncalled_models.py`).
        inside: steps, from 1, of which the ledger also gets each module's call in their forward
            passes (`reference/ledger/inside_record.py`).
        until: the step after which the training is ended, by an exception that is a SystemExit.
        after: what an observer recorded before, whose run this one goes on with.
    """

    def __init__(
        self,
        writer: Sink,
        *,
        stop_if_not_finite: bool = False,
        uncalled: bool = False,
        inside: Collection[int] = (),
        until: int | None = None,
        after: Recording | None = None,
    ) -> None:
        self.recording = Recording(
            writer,
            stop_if_not_finite=stop_if_not_finite,
            uncalled=uncalled,
            inside=inside,
            until=until,
            after=after,
        )
        self.final_weights = ""  # the hash of all weights, after `finish`
        self._backward = BackwardPasses(self.recording)
        self._passes = ForwardPasses(self.recording, self._backward)
        self._steps = OptimizerSteps(self.recording, self._passes)
        self.saved_weights = SavedWeights(self.recording)
        self._replaced = (
            ClipCalls(self.recording),
            LossFunctions(self.recording, self._passes.is_within_model),
            Loaders(self.recording),
            self.saved_weights,
        )
        self._handles: list[Any] = []
        self._silence = _Silence()
        self._last: Record = {}

    @property
    def steps(self) -> int:
        """How many steps were written."""
        return self.recording.steps

    @property
    def final_loss(self) -> Number | None:
        """The loss of the last step that was written, if a model gave one."""
        return self.recording.final_outputs.get("loss")

    @property
    def final_loss_of_model(self) -> Number | None:
        """The same; also where it was learnt from by a factor of no loss, as an uneven share has.

        Nobody can tell from outside which it was: for whoever knows that it was the loss.
        """
        outputs = self.recording.final_outputs
        return outputs.get("loss", outputs.get(beside("loss", "loss")))

    @property
    def seconds(self) -> float:
        """From the first forward pass to the last update."""
        return self.recording.seconds

    @property
    def passes(self) -> tuple[dict[type, int], int]:
        """Forward passes with gradients on, by class of the model; and backward passes."""
        return self.recording.called, self.recording.backward_passes

    @property
    def lost(self) -> str:
        """Why nothing more is recorded; empty as long as all is well."""
        return self.recording.fail_safe.lost

    def __repr__(self) -> str:
        state = "recording" if self._handles else "finished" if self._last else "not started"
        if self.lost:
            state = f"recording ended: {plain(self.lost)}"
        loss = self.final_loss
        loss = f"{loss:.6g}" if isinstance(loss, float) else loss  # one that isn't finite is a word
        of_last = "" if loss is None else f", last loss {loss}"
        steps = f"{self.steps} step{'s' * (self.steps != 1)}"
        return f"<Observer: {steps}{of_last}, {self.seconds:.1f} s, {state}>"

    def start(self) -> "Observer":
        """Begin to watch, in all threads of this process."""
        self._silence.begin()
        self._handles = [
            register_module_forward_pre_hook(self._passes.before),
            register_module_forward_hook(self._passes.after, with_kwargs=True, always_call=True),
            register_optimizer_step_pre_hook(self._steps.before),
            register_optimizer_step_post_hook(self._steps.after),
        ]
        self.recording.parameters.set_hooks(self._backward.on_gradient)
        for replaced in self._replaced:
            replaced.begin()
        return self

    def finish(self, *, complete: bool) -> None:
        """Stop watching, write what is left, and close the writer.

        Args:
            complete: whether the run came to its end by itself.
        """
        self.remove_hooks()
        with closing(self.recording.writer) as writer:
            self._write_rest()
            end: Record = {"complete": complete, "steps": self.steps, "weights": "", **self._last}
            if self.recording.ended_as_asked:
                end["asked"] = True
            if self.lost:
                lost = {"recorded": self.steps, "lost": self.lost}
                end = {"complete": False, "steps": self.steps, "weights": "", **lost}
            writer.write({"kind": "end", **end})

    def __enter__(self) -> "Observer":
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self.finish(complete=kind is None or kind is SystemExit)

    def remove_hooks(self) -> None:
        """Stop watching; what was kept so far stays."""
        for handle in self._handles:
            handle.remove()
        self._handles = []
        self.recording.parameters.remove_hooks()
        for replaced in reversed(self._replaced):
            replaced.end()
        self._silence.end()

    def settle(self) -> None:
        """Write the last step now: there is no forward pass to come that would end it."""
        self.recording.write_steps()

    @guarded
    def write_so_far(self) -> None:
        """Write all that is over by now, evaluations too: the run is saved at this place."""
        self.recording.write_rest()

    def begin_after(self, earlier: Earlier, drawn: Mapping[str, str], seconds: float) -> None:
        """Count on from where a ledger ends, of whose run this process knows nothing else.

        Args:
            earlier: What the ledger has.
            drawn: `recording.drawn` when it was saved.
            seconds: `seconds` then.
        """
        self.recording.begin_after(earlier, drawn, seconds)

    def lose(self, why: str) -> None:
        """Record nothing more; the ledger's end says why."""
        self.recording.fail_safe.lose(why)

    def go_on(self, writer: Sink | None = None) -> "Observer":
        """An observer, not started, that goes on from here: it knows the same models.

        Args:
            writer: takes its records; this one's by default.
        """
        recording = self.recording
        stop = recording.stop_if_not_finite
        return Observer(writer or recording.writer, stop_if_not_finite=stop, after=recording)

    @guarded
    def add_scores(self, scores: Mapping[str, float]) -> None:
        """The scores of the evaluation that just ended, as its loop reports them."""
        self.recording.add_scores(scores)

    @guarded
    def _write_rest(self) -> None:
        self.recording.write_rest()
        self._last = self.recording.parameters.last()
        self._last["models"] = self.recording.seen.at_end()
        self._last["optimizers"] = self.recording.optimizers.at_end()
        self._last["saved"] = list(self.recording.saved.values())
        self._last.update(left_beside(self.recording.parameters))
        self.final_weights = self._last["weights"]


class _Silence:
    """Keeps torch from warning of the observer's hooks at each call of a compiled model.

    Not `warnings.catch_warnings`: at its end it would also take away the filters that the training
    has set meanwhile.
    """

    def __init__(self) -> None:
        self._filter: Any = None

    def begin(self) -> None:
        before = list(warnings.filters)
        warnings.filterwarnings("ignore", WARNING_OF_HOOKS, UserWarning)
        self._filter = next((f for f in warnings.filters if f not in before), None)

    def end(self) -> None:
        with suppress(ValueError):  # the training has taken it away
            warnings.filters.remove(self._filter)  # type: ignore[attr-defined]
        self._filter = None
