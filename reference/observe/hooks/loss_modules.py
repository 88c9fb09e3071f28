"""Losses that are modules of their own: their number belongs to the pass whose outputs they get."""

from typing import Any

import torch
from torch import Tensor

from reference.observe.hooks import module_calls
from reference.observe.recording import Recording
from reference.observe.step.arguments import Arguments, arguments_of, numbers_in_arguments
from reference.observe.step.chores import are_probabilities
from reference.observe.step.forward_pass import ForwardPass
from reference.observe.step.loss_content import loss_of
from reference.observe.step.tensors_in import numbers_in
from reference.observe.tensors.shards import local_part


class LossModules:
    """Adds what they are given and what they make to the open step, or to the last evaluation."""

    def __init__(self, recording: Recording) -> None:
        self.recording = recording

    def look_at(self, module: torch.nn.Module, args: Any, kwargs: Any, output: Any) -> None:
        """One has been called, outside of a model."""
        forwards = self.recording.open_step.forwards
        name = type(module).__name__
        if not torch.is_grad_enabled() and not forwards:
            evaluations = self.recording.evaluations
            given = arguments_of(module, args, kwargs)
            tensors = {**given.tensors, **numbers_in_arguments(given.values)}
            shared = {n: evaluations.given.has(t) for n, t in tensors.items()}
            made = numbers_in(output, "")
            evaluations.add_loss(loss_of(name, tensors, given.plain, made, shared))
            return
        if not isinstance(output, Tensor):
            return
        if not (forwards and output.requires_grad):
            return
        self.recording.open_step.chores.probabilities += are_probabilities(module, args)
        memory = module_calls.addresses([*args, *kwargs.values()])
        forward = next((f for f in reversed(forwards) if f.memory.holds(memory)), None)
        if forward is None:
            given = arguments_of(module, args, kwargs)
            self._add(forwards[-1], name, given, output)  # of what is computed of outputs
            return
        given = arguments_of(module, args, kwargs)
        self.recording.settings.look_at_loss(module)
        if given.plain:
            told = {f"{name}.{argument}": value for argument, value in given.plain.items()}
            before = forward.batch.get("arguments", {})
            forward.batch = {**forward.batch, "arguments": {**before, **told}}
        if output.dim() == 0:
            forward.losses.add_module(name, output)
        if forward.inside is not None:
            forward.inside.add_loss(module, args, kwargs, output)
        self._add(forward, name, given, output)

    def _add(self, forward: ForwardPass, name: str, given: Arguments, output: Tensor) -> None:
        """To a pass that evaluates, if no step is made of it."""
        if forward.content is not None:
            shared = {
                argument: forward.memory.holds(module_calls.addresses(tensor))
                for argument, tensor in given.tensors.items()
            }
            made = {"": local_part(output)}
            forward.losses_made.append(loss_of(name, given.tensors, given.plain, made, shared))
