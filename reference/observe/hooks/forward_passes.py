"""Forward passes of whole models, told from all the calls of modules that torch reports.

Used by the observer that `python -m reference train manual` runs under. The outermost call with
parameters is a model's pass; what it calls is a part of it, and a loss that is a module of its own
follows it.
"""

import sys
import threading
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from types import FrameType
from typing import Any

import torch
from torch import Tensor

from reference.messages import say
from reference.observe.generators import generator_states
from reference.observe.hooks import module_calls
from reference.observe.hooks.backward_passes import Backward
from reference.observe.hooks.fail_safe import Careful, reason
from reference.observe.step import describe
from reference.observe.step.evaluation import Prediction, predict
from reference.observe.step.open_step import Forward, Reach, Snapshot, Window, current_device
from reference.observe.step.tensors_in import named_inputs, tensors_in
from reference.observe.tensors.parameters import first_parameter, modules_of


@dataclass(frozen=True)
class Listener:
    """Who is told of passes."""

    window: Callable[[], Window]
    begins: Callable[[], None]
    evaluates: Callable[[bool, Prediction | None], None]
    misses: Callable[[str], None]  # an evaluation's pass that can't be recorded
    taints: Callable[[str], None]  # what was taken for an evaluation's pass is none


class _Call(threading.local):
    """The outermost call of a module that is running in this thread, and its pass."""

    outermost: torch.nn.Module | None = None
    forward: Forward | None = None
    frame = 0  # the id of torch's own: after Ctrl-C no hook tells that it is over
    depth = 0  # of the calls that it makes of itself (a tree of one cell)

    def begin(self, module: torch.nn.Module, frame: FrameType | None) -> None:
        self.end()
        self.outermost, self.frame = module, id(frame)

    def end(self) -> None:
        self.outermost = self.forward = None
        self.frame = self.depth = 0


class Passes:
    """Both hooks on modules' calls. `keep_inputs`: each pass holds what it was called with."""

    def __init__(
        self, careful: Careful, backward: Backward, listener: Listener, *, keep_inputs: bool
    ) -> None:
        self.careful = careful
        self._backward = backward
        self._listener = listener
        self._keep_inputs = keep_inputs
        self._call = _Call()
        self._thread: threading.Thread | None = None  # that trains
        self._has_stepped = False
        self._said = False
        # Models that were called in training mode, but without gradients, since the last step.
        self._without_gradients: list[weakref.ref[torch.nn.Module]] = []

    def before(self, module: torch.nn.Module, args: tuple[Any, ...]) -> None:
        """A global forward pre-hook."""
        if torch.compiler.is_compiling() or self.careful.lost:
            return
        try:
            self._before(self._call, module, args)
        except Exception as error:
            self._miss(error)

    def _before(self, call: _Call, module: torch.nn.Module, args: tuple[Any, ...]) -> None:
        frame = module_calls.frame_of_call() if module is call.outermost else None
        interrupted = frame is not None and not module_calls.is_within(frame, module, call.frame)
        if call.outermost is not None and not interrupted:
            call.depth += module is call.outermost
            self._note_autocast(call)
            return
        if module_calls.in_backward():
            self._note_again(module)
            return
        if first_parameter(module) is None:
            return  # a loss or activation by itself
        call.begin(module, module_calls.frame_of_call())
        call.forward = self._begin(module, args)

    def after(self, module: torch.nn.Module, args: Any, *rest: Any) -> None:
        """A global forward hook, called also after a pass that raised."""
        if torch.compiler.is_compiling() or self.careful.lost:
            return
        # After a forward pass that raised, torch leaves the keywords out (seen in 2.13).
        kwargs, output = rest if len(rest) == 2 else ({}, rest[0])
        call = self._call
        forward = call.forward
        try:
            if module is not call.outermost:
                self._after_part(args, output)
                return
            if call.depth:
                call.depth -= 1
                return
            call.end()
            if output is not None and forward is not None:  # else it raised, or isn't to be seen
                self._end(forward, module, args, kwargs, output)
        except Exception as error:
            self._miss(error)

    def claim(self) -> None:
        """An optimizer steps in this thread. Raises RuntimeError where two threads train."""
        me = threading.current_thread()
        other = self._thread is not None and self._thread is not me
        if other and self._has_stepped and self._thread is not None and self._thread.is_alive():
            raise RuntimeError("two threads train at once, and their steps can't be told apart")
        self._thread, self._has_stepped = me, True
        self._without_gradients = []
        call = self._call
        model = call.outermost
        if model is not None and not module_calls.is_within(sys._getframe(), model, call.frame):
            call.end()
            self._leave_out("an interrupted forward pass hid those after it")

    def _begin(self, module: torch.nn.Module, args: tuple[Any, ...]) -> Forward | None:
        if module_calls.computes_nothing(module) or self._is_elsewhere():
            return None
        self._backward.begin()
        self._listener.begins()
        if module_calls.is_transformed():
            self._leave_out("torch.func calls the model, and its tensors can't be read")
            return None
        forward = Forward(0, None, weakref.ref(module), training=module.training)
        if not torch.is_grad_enabled():
            if module.training and all(r() is not module for r in self._without_gradients):
                self._without_gradients.append(weakref.ref(module))
            return forward  # nothing is learnt from it: a model that only does this has no record
        late = module_calls.is_lazy(module)  # its weights are only there when it is over
        if not late:
            forward.model = self._watch(module)
        keywords = module_calls.keywords()
        if keywords is not None:
            self._describe_inputs(forward, module, args, keywords)
        if not self._listener.window().settled():
            weights = {} if late else self._backward.parameters.values()
            forward.snapshot = Snapshot(generator_states(), describe.mode(module), weights)
        return forward

    def _end(
        self, forward: Forward, module: torch.nn.Module, args: Any, kwargs: Any, output: Any
    ) -> None:
        found = tensors_in("", output)
        outputs = {name or "output": tensor for name, tensor in found.items()}
        if forward.snapshot is not None:
            forward.snapshot.mode.setdefault("autocast", describe.autocast(current_device(module)))
        if not torch.is_grad_enabled():
            self._listener.evaluates(forward.training, predict(outputs))
            return
        if forward.snapshot is not None and not forward.snapshot.weights:
            forward.model = self._watch(module)
            forward.snapshot.weights = self._backward.parameters.values()
        if not forward.batch:
            self._describe_inputs(forward, module, args, kwargs)
        forward.outputs = describe.forward(outputs)
        forward.evaluated = predict(outputs)
        forward.memory = module_calls.addresses(list(outputs.values()))
        with_graph = [t for t in outputs.values() if t.requires_grad and t.grad_fn is not None]
        forward.used = False if with_graph else None
        for tensor in with_graph:
            Reach.watch(self._backward.reach, forward, tensor)
        self._listener.window().forwards.append(forward)

    def _note_again(self, module: torch.nn.Module) -> None:
        """Run again in a backward pass, for its gradients: checkpointing, of a part or of all.

        Where it is all of a model, reentrantly, its first run had gradients off, and looked like an
        evaluation.
        """
        if not torch.is_grad_enabled() or all(r() is not module for r in self._without_gradients):
            return
        passes = [forward.module() for forward in self._listener.window().forwards]
        if any(part is module for one in passes if one is not None for part in modules_of(one)):
            return  # a part of a pass that was seen
        why = "all of a model is run again in the backward pass (reentrant checkpointing)"
        self._listener.window().unseen = why
        self._listener.taints(why)
        self._say(why)

    def _watch(self, module: torch.nn.Module) -> int:
        number, record = self._backward.parameters.watch(module)
        if record is not None:
            self.careful.write(record)
        return number

    def _describe_inputs(
        self, forward: Forward, module: torch.nn.Module, args: Any, kwargs: Any
    ) -> None:
        inputs = named_inputs(module, args, kwargs)
        forward.batch = describe.batch(inputs)
        if self._keep_inputs:
            forward.inputs = inputs  # to name them

    def _note_autocast(self, call: _Call) -> None:
        """Inside the model's own forward: Accelerate turns autocast on only there."""
        snapshot = None if call.forward is None else call.forward.snapshot
        if snapshot is not None and "autocast" not in snapshot.mode and call.outermost is not None:
            snapshot.mode["autocast"] = describe.autocast(current_device(call.outermost))

    def _after_part(self, args: Any, output: Any) -> None:
        """A loss that is a module of its own: its number belongs to the pass that it was given."""
        forwards = self._listener.window().forwards
        if self._call.outermost is not None or not forwards or module_calls.in_backward():
            return
        if not (isinstance(output, Tensor) and output.dim() == 0 and output.requires_grad):
            return
        memory = module_calls.addresses(args)
        of = next((f for f in reversed(forwards) if f.memory & memory), None)
        if of is not None:
            of.outputs.setdefault("loss", describe.number(output.detach()))

    def _is_elsewhere(self) -> bool:
        """Whether this pass is made beside the thread that trains."""
        me = threading.current_thread()
        if self._thread is None or not self._thread.is_alive():
            self._thread = me if torch.is_grad_enabled() else None
        if self._thread is None or self._thread is me:
            return False
        if torch.is_grad_enabled():
            self._leave_out("a forward pass in another thread")
        return True

    def _miss(self, error: Exception) -> None:
        """A pass that can't be recorded: its step says so, and goes without the links of it."""
        self.careful.let_through(error)
        self._leave_out(reason(error))

    def _leave_out(self, why: str) -> None:
        if torch.is_grad_enabled():
            self._listener.window().unseen = why
        else:
            self._listener.misses(why)
        self._say(why)

    def _say(self, why: str) -> None:
        """Once."""
        if not self._said:
            self._said = True
            say(f"a forward pass can't be recorded ({why}); its step goes without it")
