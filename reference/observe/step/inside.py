"""The calls of all modules in one forward pass, in the few steps for which somebody asks.

    python -m reference observe --inside 3 SCRIPT

`reference/ledger/inside_record.py` says what is written of them.
"""

import functools
from collections import Counter
from collections.abc import Mapping, Sequence
from types import BuiltinFunctionType, FunctionType, MethodType
from typing import Any

import torch

from reference.ledger.combined_hash import combine
from reference.ledger.inside_record import DEEPEST_CALL, MOST_CALLS, UNREAD
from reference.ledger.record import Record
from reference.messages import brief
from reference.observe import torch_internals
from reference.observe.generators import generator_states
from reference.observe.step.arguments import bound_arguments
from reference.observe.step.tensors_in import PLAIN, tensors_in
from reference.observe.tensors.hashing import hash_tensors
from reference.observe.tensors.parameter_names import plain_name

MOST_ENTRIES = 8  # of a list that is a setting
NO_SETTINGS = ("training", "name_or_path")  # that one stands in the list; this one does nothing
NOT_TORCH = ("python", "numpy")
ATTENTION = "_attn_implementation"  # of a transformers model's `config`


class InsidePass:
    """Records the calls within one pass of a model. What goes wrong in it ends it, with a reason.

    Args:
        model: whose pass it is; its hooks call `enter` and `leave`.
    """

    def __init__(self, model: torch.nn.Module) -> None:
        self._modules: list[list[Any]] = []
        self._settings: dict[tuple[tuple[str, str], ...], int] = {}
        self._calls: list[list[Any]] = []
        self._others: Counter[str] = Counter()  # by class, modules that aren't the model's own
        self._left_out = 0
        self._lost = ""
        # By a module's id: the model holds them all while its pass goes on.
        self._places: dict[int, int] = {}
        self._running: list[tuple[int, list[Any] | None]] = []  # id of a module, and its call
        self._try(lambda: self._list_modules(model))

    def enter(
        self, module: torch.nn.Module, args: Sequence[Any], kwargs: Mapping[str, Any]
    ) -> None:
        """A module is called, the model's own call included."""
        self._try(lambda: self._enter(module, args, kwargs))

    def leave(self, module: torch.nn.Module, output: Any) -> None:
        """A module's call is over; `output`: what it gives, or None where it raised."""
        self._try(lambda: self._leave(module, output))

    def end(self) -> None:
        """The pass is over. The ids of its modules may be others' from now on."""
        self._places, self._running = {}, []

    def add_loss(
        self,
        module: torch.nn.Module,
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
        output: Any,
    ) -> None:
        """A loss that is a module of its own, and is given what the pass gave."""
        self._try(lambda: self._add_loss(module, _inputs(module, args, kwargs), output))

    def record(self) -> Record:
        """Its entry in the ledger."""
        record: Record = {
            "modules": self._modules,
            "settings": [dict(each) for each in self._settings],
            "calls": self._calls,
        }
        if self._left_out:
            record["left_out"] = self._left_out
        return {**record, "lost": self._lost} if self._lost else record

    def _try(self, act: Any) -> None:
        if self._lost:
            return
        try:
            act()
        except Exception as error:  # the pass itself is recorded all the same
            self._lost = f"{type(error).__name__}: {error}"[:200]

    def _list_modules(self, model: torch.nn.Module) -> None:
        for name, module in model.named_modules():
            own = plain_name(f"{name}.").removesuffix(".")  # '' also within a wrapper
            self._places[id(module)] = self._add_module(own, module)

    def _add_module(self, name: str, module: torch.nn.Module) -> int:
        key = tuple(settings(module).items())
        number = self._settings.setdefault(key, len(self._settings))
        self._modules.append([name, type(module).__name__, module.training, number])
        return len(self._modules) - 1

    def _place(self, module: torch.nn.Module) -> int:
        place = self._places.get(id(module))
        if place is not None:
            return place
        # Not the model's own: it may be gone after this call, and its id another's.
        kind = type(module).__name__
        self._others[kind] += 1
        number = f" {self._others[kind]}" if self._others[kind] > 1 else ""
        return self._add_module(f"({kind}{number})", module)

    def _enter(
        self, module: torch.nn.Module, args: Sequence[Any], kwargs: Mapping[str, Any]
    ) -> None:
        if torch_internals.backward_run() != -1:
            return  # done again, by checkpointing within the model's own backward pass
        call: list[Any] | None = None
        if len(self._calls) < MOST_CALLS and len(self._running) <= DEEPEST_CALL:
            inputs = _inputs(module, args, kwargs)
            call = [self._place(module), len(self._running), _generators(), inputs, None]
            self._calls.append(call)
        else:
            self._left_out += 1
        self._running.append((id(module), call))

    def _leave(self, module: torch.nn.Module, output: Any) -> None:
        if all(running != id(module) for running, _ in self._running):
            return
        while True:  # of calls that an interrupt ended no hook tells
            running, call = self._running.pop()
            if running == id(module):
                break
        if call is not None and output is not None:
            call[4] = _hashes("", output)

    def _add_loss(self, module: torch.nn.Module, inputs: dict[str, str], output: Any) -> None:
        if len(self._calls) < MOST_CALLS:
            self._calls.append([self._place(module), 0, "", inputs, _hashes("", output)])


def _generators() -> str:
    """A hash of torch's own generators: the others often have another state in each process."""
    states = generator_states().items()
    return combine([state for name, state in states if name not in NOT_TORCH])[:16]


def settings(module: torch.nn.Module) -> dict[str, str]:
    """A module's own plain attributes, as text: numbers, words, and the names of functions.

    Read off its dictionary, so that none of a script's code runs. Of a transformers model's
    `config` the implementation of attention is among them.
    """
    own = vars(module)
    names = [name for name in own if not name.startswith("_") and name not in NO_SETTINGS]
    texts = [(name, _text(own[name])) for name in names]
    found = {name: text for name, text in texts if text is not None}
    attention = getattr(own.get("config"), ATTENTION, None)
    return {**found, ATTENTION: attention} if type(attention) is str else found


def _text(value: Any) -> str | None:
    """A plain value as it is written; None for any other."""
    if type(value) in PLAIN:
        return _word(value)
    if type(value) in (tuple, list, torch.Size) and len(value) <= MOST_ENTRIES:
        return brief(tuple(value)) if all(type(each) in PLAIN for each in value) else None
    if isinstance(value, torch.dtype | torch.device):
        return str(value)
    if isinstance(value, FunctionType | BuiltinFunctionType | MethodType | type):
        return value.__qualname__
    if isinstance(value, functools.partial):
        given = ", ".join(f"{name}={_text(each)}" for name, each in value.keywords.items())
        return f"{_text(value.func)}, {given}"
    return None


def _word(value: Any) -> str:
    return brief(value).strip("'") if type(value) is str else brief(value)


def _inputs(
    module: torch.nn.Module, args: Sequence[Any], kwargs: Mapping[str, Any]
) -> dict[str, str]:
    """Tensors and plain values by the names of `forward`'s parameters; none for what is None."""
    inputs: dict[str, str] = {}
    given, defaults = bound_arguments(module, args, kwargs)
    for name, value in {**defaults, **given}.items():
        named = (
            {f"{name}.{key}": each for key, each in value.items()} if type(value) is dict else {}
        )
        for key, each in {name: value, **named}.items():
            if type(each) in PLAIN and each is not None:
                inputs[key] = _word(each)
        if type(value) not in PLAIN:
            inputs.update(_hashes(name, value))
    return inputs


def _hashes(name: str, value: Any) -> dict[str, str]:
    """Of each tensor in a value hash, type and shape."""
    try:
        tensors = tensors_in(name, value)
    except TypeError:
        return {name or "output": UNREAD}
    return {path or "output": _hash(tensor) for path, tensor in tensors.items()}


def _hash(tensor: torch.Tensor) -> str:
    if torch_internals.is_transformed():
        return UNREAD
    try:
        bits = hash_tensors([tensor])[0]
    except (TypeError, RuntimeError):  # nested, without values, or of a kind of its own
        return UNREAD
    return f"{bits} {str(tensor.dtype).removeprefix('torch.')} {list(tensor.shape)}"
