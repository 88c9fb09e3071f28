"""Losses that are modules of their own: their number belongs to the pass whose outputs they get."""

from typing import Any

import torch
from torch import Tensor

from reference.observe.hooks import module_calls
from reference.observe.recording import Recording
from reference.observe.step.arguments import Arguments, arguments_of
from reference.observe.step.chores import are_probabilities
from reference.observe.tensors.shards import local_part


class LossModules:
    """Adds what they are given and what they make to the open step, or to the last evaluation."""

    def __init__(self, recording: Recording) -> None:
        self.recording = recording

    def look_at(self, module: torch.nn.Module, args: Any, kwargs: Any, output: Any) -> None:
        """One has been called, outside of a model."""
        forwards = self.recording.open_step.forwards
        if not isinstance(output, Tensor):
            return
        name = type(module).__name__
        if not torch.is_grad_enabled() and not forwards:
            given = arguments_of(module, args, kwargs)
            self.recording.evaluations.add_loss(name, given, local_part(output))
            return
        if not (forwards and output.requires_grad):
            return
        self.recording.open_step.chores.probabilities += are_probabilities(module, args)
        memory = module_calls.addresses([*args, *kwargs.values()])
        forward = next((f for f in reversed(forwards) if f.memory & memory), None)
        if forward is None:
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
        if forward.content is not None:  # if no step is made of it
            targets = {
                argument: tensor
                for argument, tensor in given.tensors.items()
                if not module_calls.addresses([tensor]) & forward.memory
            }
            forward.content.add_loss(name, Arguments(targets, given.plain), local_part(output))
