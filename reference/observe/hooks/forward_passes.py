"""Forward passes of whole models, told from all the calls of modules that torch reports.

The outermost call with parameters is a model's pass; what it calls is a part of it, and a loss that
is a module of its own follows it.
"""

import weakref
from typing import Any

import torch

from reference.messages import say
from reference.observe import torch_internals
from reference.observe.hooks import module_calls
from reference.observe.hooks.backward_passes import BackwardPasses
from reference.observe.hooks.fail_safe import reason
from reference.observe.hooks.loss_modules import LossModules
from reference.observe.hooks.outermost_call import OutermostCall
from reference.observe.hooks.training_thread import TrainingThread
from reference.observe.recording import Recording
from reference.observe.step import describe
from reference.observe.step.arguments import (
    Arguments,
    arguments_of,
    bound_arguments,
    numbers_in_arguments,
)
from reference.observe.step.attended_padding import padding_without_mask
from reference.observe.step.content import Content
from reference.observe.step.forward_pass import ForwardPass, OutputHook, Snapshot
from reference.observe.step.inside import InsidePass
from reference.observe.step.rows import rows_of
from reference.observe.step.tensors_in import numbers_in, tensors_in
from reference.observe.step.written import written
from reference.observe.tensors.first_parameter import first_parameter
from reference.observe.tensors.output_memory import OutputMemory
from reference.observe.tensors.shards import local_parts


class ForwardPasses:
    """Both hooks on modules' calls; they fill the open step and the open evaluation."""

    def __init__(self, recording: Recording, backward: BackwardPasses) -> None:
        self.recording = recording
        self._backward = backward
        self._losses = LossModules(recording)
        self._call = OutermostCall()
        recording.fail_safe.when_lost.append(self._call.end)
        self._thread = TrainingThread()
        self._said = False
        # Models that were called in training mode, but without gradients, since the last step.
        self._without_gradients: list[weakref.ref[torch.nn.Module]] = []

    def before(self, module: torch.nn.Module, args: tuple[Any, ...]) -> None:
        """A global forward pre-hook."""
        if torch.compiler.is_compiling() or self.recording.fail_safe.lost:
            return
        call = self._call
        if call.skips_parts and module is not call.module:
            return
        try:
            with torch_internals.without_modes():
                self._before(call, module, args)
        except Exception as error:
            self._miss(error)

    def _before(self, call: OutermostCall, module: torch.nn.Module, args: tuple[Any, ...]) -> None:
        frame = torch_internals.frame_of_call() if module is call.module else None
        interrupted = frame is not None and not torch_internals.is_within_call(
            frame, module, call.frame_id
        )
        if call.module is not None and not interrupted:
            call.depth += module is call.module
            if call.forward is not None:
                self._enter_part(call.forward, call.module, module, args)
            call.skips_parts = call.forward is None or call.forward.inside is None
            return
        if module_calls.in_backward():
            self._note_again(module)
            return
        if not module_calls.is_model(module):
            return  # a loss or activation by itself
        call.begin(module, torch_internals.frame_of_call())
        call.forward = self._begin(module, args)

    def after(self, module: torch.nn.Module, args: Any, *rest: Any) -> None:
        """A global forward hook, called also after a pass that raised."""
        if torch.compiler.is_compiling() or self.recording.fail_safe.lost:
            return
        # After a forward pass that raised, torch leaves the keywords out (seen in 2.13).
        kwargs, output = rest if len(rest) == 2 else ({}, rest[0])
        call = self._call
        if call.skips_parts and module is not call.module:
            return
        try:
            with torch_internals.without_modes():
                self._after(call, module, args, kwargs, output, returned=len(rest) == 2)
        except Exception as error:
            self._miss(error)

    def _after(
        self,
        call: OutermostCall,
        module: torch.nn.Module,
        args: Any,
        kwargs: Any,
        output: Any,
        *,
        returned: bool,
    ) -> None:
        forward = call.forward
        if forward is not None and forward.inside is not None:
            forward.inside.leave(module, output)
        if module is not call.module:
            if call.module is None and not module_calls.in_backward():
                self._losses.look_at(module, args, kwargs, output)
            return
        if call.depth:
            call.depth -= 1
            return
        call.end()
        # Torch hands over no keywords of a pass that raised (2.13). One that gives nothing back may
        # still be an evaluation, of which it writes down what comes out.
        raised = output is None and (not returned or torch.is_grad_enabled())
        if forward is not None and not raised:
            self._end(forward, module, args, kwargs, output)

    def is_within_model(self) -> bool:
        """Whether a model's own call is running in this thread."""
        return self._call.module is not None

    def claim_thread(self) -> None:
        """An optimizer steps in this thread, which is the one that trains.

        Raises:
            RuntimeError: where another thread trains, too.
        """
        self._thread.claim()
        self._without_gradients = []
        call = self._call
        model = call.module
        if model is not None and not torch_internals.is_within_call(None, model, call.frame_id):
            call.end()
            self._leave_out("an interrupted forward pass hid those after it")

    def _begin(self, module: torch.nn.Module, args: tuple[Any, ...]) -> ForwardPass | None:
        if module_calls.computes_nothing(module):
            return None
        if self._thread.is_another():
            self._leave_out("a forward pass in another thread")
            return None
        self._backward.begin()
        self.recording.begin_pass()
        if torch_internals.is_transformed():
            self._leave_out("torch.func calls the model, and its tensors can't be read")
            return None
        forward = ForwardPass(0, None, weakref.ref(module), training=module.training)
        forward.seen = self.recording.seen.see(module)
        if not torch.is_grad_enabled():
            self._look_at_inputs(forward, module, args, torch_internals.keywords_of_call() or {})
            if module.training and all(r() is not module for r in self._without_gradients):
                self._without_gradients.append(weakref.ref(module))
            return forward  # nothing is learnt from it: a model that only does this has no record
        parts = list(torch_internals.modules_of(module))  # once, for all that looks at each
        late = module_calls.is_lazy(parts)  # its weights are only there when it is over
        if not late:
            forward.model = self._watch(module, parts)
        keywords = torch_internals.keywords_of_call()
        if keywords is not None:
            self._describe_inputs(forward, module, args, keywords)
        if not self.recording.open_step.is_settled():
            weights = {} if late else self.recording.parameters.values()
            forward.mode = describe.mode(module, parts)
            self._look_at_settings(forward.model, module)
            states = self.recording.generators.at_first()
            forward.snapshot = Snapshot(states, forward.mode, weights)
        else:
            forward.mode = {"training": module.training}
        if self.recording.steps + 1 in self.recording.inside:
            forward.inside = InsidePass(module)
            forward.inside.enter(module, args, keywords or {})
        return forward

    def _end(
        self, forward: ForwardPass, module: torch.nn.Module, args: Any, kwargs: Any, output: Any
    ) -> None:
        forward.mode.setdefault("autocast", describe.autocast(module))
        if not torch.is_grad_enabled():
            if output is None and forward.content is not None:
                forward.content.settle()
                values, _ = bound_arguments(module, args, kwargs)
                was_written = self.recording.evaluations.given.was_written
                made = written(module, values, forward.content, was_written)
                self._evaluate(forward, made, keeps=False)
            else:
                self._evaluate(forward, output)
            return
        given = torch_internals.with_tangents(tensors_in("", output))
        outputs = {name or "output": t for name, t in given.items()}
        if forward.snapshot is not None and not forward.snapshot.weights:
            parts = list(torch_internals.modules_of(module))
            forward.model = self._watch(module, parts)
            self._look_at_settings(forward.model, module)
            forward.snapshot.weights = self.recording.parameters.values()
        if not forward.batch:
            self._describe_inputs(forward, module, args, kwargs)
        forward.outputs = describe.forward(outputs)
        loss = describe.name_of_loss(outputs)
        if loss is not None and outputs[loss].numel() == 1:
            forward.losses.add_own(loss, outputs[loss])
        if forward.content is not None:
            forward.content.give(local_parts(outputs), keep=True)
        forward.memory = OutputMemory(outputs.values())
        with_graph = [t for t in outputs.values() if t.requires_grad and t.grad_fn is not None]
        forward.used = False if with_graph else None
        for tensor in with_graph:
            OutputHook.watch(self._backward.reach, forward, tensor)
        self.recording.open_step.forwards.append(forward)
        kind = type(module)
        self.recording.called[kind] = self.recording.called.get(kind, 0) + 1

    def _note_again(self, module: torch.nn.Module) -> None:
        """Run again in a backward pass, for its gradients: checkpointing, of a part or of all.

        Where it is all of a model, reentrantly, its first run had gradients off, and looked like an
        evaluation.
        """
        if not torch.is_grad_enabled() or all(r() is not module for r in self._without_gradients):
            return
        models = [forward.module() for forward in self.recording.open_step.forwards]
        parts = (torch_internals.modules_of(model) for model in models if model is not None)
        if any(part is module for each in parts for part in each):
            return  # a part of a pass that was seen
        why = "all of a model is run again in the backward pass (reentrant checkpointing)"
        self.recording.open_step.unseen = why
        self.recording.evaluations.taint(why)
        self._say_once(why)

    def _look_at_settings(self, number: int, module: torch.nn.Module) -> None:
        ids = self.recording.parameters.look_of(module, number)
        if ids is not None:
            self.recording.settings.look(number, module, ids)

    def _watch(self, module: torch.nn.Module, parts: list[torch.nn.Module]) -> int:
        number, record = self.recording.parameters.watch(module, parts)
        if record is not None:
            self.recording.fail_safe.write(record)
        return number

    def _describe_inputs(
        self, forward: ForwardPass, module: torch.nn.Module, args: Any, kwargs: Any
    ) -> None:
        given = self._look_at_inputs(forward, module, args, kwargs)
        rows = None if forward.content is None else forward.content.rows
        forward.batch = describe.batch(given.tensors, rows, given.plain)
        padding = None if forward.seen is None else forward.seen.needs_mask_for
        forward.padded = padding_without_mask(given.tensors, padding)
        if self.recording.stop_if_not_finite:
            forward.inputs = given.tensors  # for the error to name them

    def _look_at_inputs(
        self, forward: ForwardPass, module: torch.nn.Module, args: Any, kwargs: Any
    ) -> Arguments:
        """Before the call, since a module may write into its inputs."""
        given = arguments_of(module, args, kwargs)
        if forward.seen is not None:
            evaluates = not torch.is_grad_enabled()
            rows = rows_of(given.tensors, forward.seen.padding, at_either_end=evaluates)
            forward.content = Content(rows)
            if evaluates:
                learns = first_parameter(module) is not None
                self.recording.evaluations.given.look_at(
                    id(module), forward.content, given.tensors, learns=learns
                )
            arrays = numbers_in_arguments(given.values) if evaluates else {}
            if evaluates:
                forward.content.take_texts(given.values)
            was_written = self.recording.evaluations.given.was_written
            taken = {n: t for n, t in {**given.tensors, **arrays}.items() if not was_written(t)}
            forward.content.take(taken, keep=True)
            forward.content.arguments = given.plain
        return given

    def _evaluate(self, forward: ForwardPass, output: Any, *, keeps: bool = True) -> None:
        """A pass without gradients: nothing is learnt from it.

        Args:
            forward: The pass.
            output: What it gives.
            keeps: Whether a later pass that takes any of that goes on from this one.
        """
        if forward.seen is None or forward.content is None:
            return
        outputs = numbers_in(output)
        forward.content.give(outputs, keep=False)
        forward.content.give_plain(output)
        module = forward.module()
        if not keeps:
            self.recording.evaluations.given.write(outputs.values())
        elif module is not None:
            self.recording.evaluations.given.give(id(module), outputs.values())
        mode = forward.training, str(forward.mode["autocast"])
        steps = self.recording.steps
        self.recording.evaluations.add(steps, forward.seen, mode, forward.content)

    def _enter_part(
        self,
        forward: ForwardPass,
        model: torch.nn.Module,
        module: torch.nn.Module,
        args: tuple[Any, ...],
    ) -> None:
        """Inside the model's own forward: Accelerate turns autocast on only there."""
        if "autocast" not in forward.mode:
            forward.mode["autocast"] = describe.autocast(model)
        if forward.inside is not None:
            forward.inside.enter(module, args, torch_internals.keywords_of_call() or {})

    def _miss(self, error: Exception) -> None:
        """A pass that can't be recorded: its step says so, and goes without the links of it."""
        self.recording.fail_safe.let_through(error)
        self._leave_out(reason(error))

    def _leave_out(self, why: str) -> None:
        self.recording.leave_out(why)
        self._say_once(why)

    def _say_once(self, why: str) -> None:
        if not self._said:
            self._said = True
            say(f"a forward pass can't be recorded ({why}); its step goes without it")
