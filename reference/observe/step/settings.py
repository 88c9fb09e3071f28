"""What modules are set to: dropout's p, an eps, a class weight, and which parameters are frozen.

Written once, in the first step of a model, and again where one changes. Plain attributes of a
module are read off its dictionary, so that none of a script's own code runs.
"""

import weakref
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor

from reference.ledger.record import Record
from reference.ledger.setting_names import BY_DEFAULT, pattern_of
from reference.observe.step.arguments import short
from reference.observe.step.defaults import defaults_of
from reference.observe.step.describe import dense
from reference.observe.tensors.hashing import hash_tensor
from reference.observe.tensors.parameter_names import plain_name
from reference.observe.torch_internals import insides, own_buffers

MOST = 256  # settings of one model that are kept
MOST_LOSSES = 16  # kinds of loss modules, by their settings
FEW = 8  # class weights that are kept each; of more a hash
LONGEST = 400  # characters of the frozen parts' names
KINDS = frozenset({bool, int, float, str})
# Attributes that shapes tell, or that say where a module is.
NOT_SETTINGS = frozenset({"training", "norm_type", "padding_mode", "layer_idx", "name_or_path"})
FROZEN = "requires_grad"
NOT_PLAIN = "no plain value"  # of an attribute that had one once: a tensor, perhaps


def names_of(module: torch.nn.Module) -> list[str]:
    """The names of a module's plain attributes that are settings.

    Of torch's own modules whole numbers are shapes, and flags tell how it computes: but for the
    label that a loss leaves out.
    """
    own = type(module).__module__.startswith("torch.")
    kinds: Iterable[type] = (float, str) if own else KINDS
    return [
        name
        for name, value in vars(module).items()
        if (type(value) in kinds or name == "ignore_index")
        and _is_plain(value)
        and not (name.startswith("_") or name in NOT_SETTINGS)
    ]


def _plain(value: Any) -> Any:
    """The value of a setting; a mark for what holds a graph alive, or has code of its own."""
    return value if value is None or _is_plain(value) else NOT_PLAIN


def _is_plain(value: Any) -> bool:
    """Whether it is the same in each run; a text with an address in memory isn't."""
    return type(value) in KINDS and not (type(value) is str and " at 0x" in value)


def frozen_parts(module: torch.nn.Module) -> str:
    """The parts of a model of which no parameter is to be trained, the outermost ones."""
    names: list[str] = []

    def is_frozen(name: str, part: torch.nn.Module) -> bool | None:
        """None without any parameter."""
        inside = insides(part)
        own = [
            (plain_name(f"{name}.{n}" if name else n), not p.requires_grad)
            for n, p in inside.parameters.items()
            if p is not None
        ]
        for child, inner in inside.parts.items():
            if inner is not None:
                path = f"{name}.{child}" if name else child
                mark = len(names)
                frozen = is_frozen(path, inner)
                if frozen:
                    del names[mark:]
                if frozen is not None:
                    own.append((plain_name(path), frozen))
        if own and all(frozen for _, frozen in own):
            return True
        names.extend(each for each, frozen in own if frozen)
        return False if own else None

    if is_frozen("", module):
        return "off for all"
    if not names:
        return "on for all"
    text = f"off for {', '.join(names)}"
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}... ({len(names)} parts)"


def largest_dropout(part: torch.nn.Module) -> float:
    """With what p a module drops values in train mode, by its plain attributes; 0 where by none."""
    own = "Dropout" in type(part).__name__
    given = (v for n, v in vars(part).items() if "dropout" in n or (own and n == "p"))
    return max((float(v) for v in given if type(v) in (int, float)), default=0.0)


def in_short(settings: Mapping[str, Any]) -> Record:
    """With one entry, value and number, for what all the parts of a list have alike."""
    of_pattern: dict[str, list[str]] = {}
    for name in settings:
        of_pattern.setdefault(pattern_of(name), []).append(name)
    kept: Record = {}
    for pattern, names in of_pattern.items():
        values = [settings[name] for name in names]
        if len(names) > 1 and all(v == values[0] and type(v) is type(values[0]) for v in values):
            kept[pattern] = [values[0], len(names)]
        else:
            kept.update((name, settings[name]) for name in names)
    return dict(list(kept.items())[:MOST])


class _OfModel:
    """The settings of one model, and where they are read."""

    def __init__(self, module: torch.nn.Module, prefix: str, ids: list[int]) -> None:
        self.ids = ids
        self.module = weakref.ref(module)
        named = [
            (prefix + plain_name(f"{path}." if path else ""), part, names)
            for path, part in module.named_modules()
            if (names := names_of(part))
        ]
        self._places = [(weakref.ref(part), names) for _, part, names in named]
        self._names = [path + name for path, _, names in named for name in names]
        self.once = {prefix + FROZEN: frozen_parts(module), **_defaults(prefix, module)}
        self._values: list[Any] = []

    def changed(self) -> dict[str, Any]:
        """Those that aren't as they were when this was asked before; at first all of them."""
        values: list[Any] = []
        for reference, names in self._places:
            part = reference()
            own = {} if part is None else vars(part)
            values += [_plain(own.get(name)) for name in names]
        if values == self._values:
            return {}
        before, self._values = self._values or [object()] * len(values), values
        triples = zip(self._names, before, values, strict=True)
        return {name: short(new) for name, old, new in triples if new != old}


class Settings:
    """Of all models that train, and of the loss modules after them, as far as not yet written."""

    def __init__(self) -> None:
        self._models: dict[int, _OfModel] = {}
        self._known: dict[int, dict[str, Any]] = {}  # what was written, by a model's number
        self._losses: dict[str, list[Record]] = {}  # by class, each with its settings
        self._waiting: Record = {}

    def look(self, number: int, module: torch.nn.Module, ids: list[int]) -> None:
        """A model that trains is called.

        Args:
            number: Of the model.
            module: The model.
            ids: What tells whether it still has the same modules and frozen parameters.
        """
        known = self._models.get(number)
        if known is None or known.ids is not ids:
            self._drop_dead()
            prefix = f"model{number}." if number else ""
            known = self._models[number] = _OfModel(module, prefix, ids)
            changed = {**known.changed(), **known.once}
        else:
            changed = known.changed()
        if changed:
            written = self._known.setdefault(number, {})
            fresh = {n: v for n, v in changed.items() if written.get(n, ...) != v}
            is_new = not any(name in written for name in changed)
            written.update(fresh)
            self._waiting.update(in_short(fresh) if is_new else dict(list(fresh.items())[:MOST]))

    def _drop_dead(self) -> None:
        """Of a model that is gone nothing changes any more."""
        for number in [n for n, model in self._models.items() if model.module() is None]:
            del self._models[number]
            self._known.pop(number, None)

    def look_at_loss(self, module: torch.nn.Module) -> None:
        """A loss that is a module of its own is called."""
        settings = dict(_of_loss(module))
        kind = type(module).__name__
        kinds = self._losses.setdefault(kind, [])
        if settings in kinds or len(kinds) == MOST_LOSSES:
            return
        kinds.append(settings)
        name = kind if len(kinds) == 1 else f"{kind} {len(kinds)}"
        self._waiting.update({f"{name}.{n}": v for n, v in list(settings.items())[:MOST]})
        self._waiting.update(_defaults(f"{name}.", module))

    def take(self) -> Record:
        """What a step is to write."""
        waiting, self._waiting = self._waiting, {}
        return waiting


def _defaults(prefix: str, module: torch.nn.Module) -> Record:
    """Of a module's own settings that aren't what its class takes by itself, what that is."""
    own = vars(module)
    usual = {n: v for n, v in defaults_of(type(module)).items() if n in own and _is_plain(v)}
    names = [n for n in names_of(module) if n in usual and own[n] != usual[n]]
    return {f"{prefix}{n}{BY_DEFAULT}": short(usual[n]) for n in names}


def _of_loss(module: torch.nn.Module) -> Iterator[tuple[str, Any]]:
    for path, part in module.named_modules():
        before = f"{path}." if path else ""
        for name in names_of(part):
            yield before + name, short(vars(part)[name])
        for name, tensor in own_buffers(part).items():
            if tensor is not None:
                yield before + name, _few(tensor)


def _few(tensor: Tensor) -> Any:
    """The values of a short tensor, such as one of class weights."""
    values = dense(tensor)
    return str(values.tolist()) if values.numel() <= FEW else hash_tensor(values)
