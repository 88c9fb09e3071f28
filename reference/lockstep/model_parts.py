"""What the modules of one model are set to: mode, settings, and which parameters are frozen."""

import weakref
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch

from reference.lockstep.mode_readers import reads_its_mode
from reference.observe.step.settings import names_of
from reference.observe.tensors.parameter_names import plain_name
from reference.observe.torch_internals import modules_of

Undo = Callable[[], None]


class ModelParts:
    """The modules of one model, by their names."""

    def __init__(self, module: torch.nn.Module) -> None:
        self._reference = weakref.ref(module)
        self._parts = {plain_name(path): part for path, part in module.named_modules()}
        self._count = _count(module)
        self._settings = {name: names_of(part) for name, part in self._parts.items()}
        self._holders: dict[str, Any] = {**self._parts}
        for name, config in _configs(self._parts).items():
            self._holders[name] = config
            self._settings[name] = [n for n, v in vars(config).items() if _is_flag(n, v)]

    def is_of(self, module: torch.nn.Module) -> bool:
        """Whether it is this module's, with the parts that it has now."""
        same = self._reference() is module
        return same and self._count == _count(module)

    @property
    def is_alone(self) -> bool:
        """Whether it is one module, without any within it."""
        return len(self._parts) == 1

    def modes(self) -> dict[str, bool]:
        """Whether each module is in train mode."""
        return {name: part.training for name, part in self._parts.items()}

    def read_their_mode(self, names: Iterable[str]) -> bool:
        """Whether one of these modules may compute something else in the other mode."""
        return any(reads_its_mode(self._parts[name]) for name in names)

    def put_modes(self, modes: Mapping[str, bool]) -> Undo:
        """Set them; what undoes it, where nobody has set them anew since."""
        changed = []
        for name, training in modes.items():
            part = self._parts.get(name)
            if part is not None and part.training != training:
                changed.append((part, part.training))
                part.training = training

        def undo() -> None:
            for part, before in changed:
                if part.training != before:
                    part.training = before

        return undo

    def settings(self) -> dict[str, Any]:
        """Plain attributes by 'module.attribute': the `p` of a dropout, say."""
        return {
            f"{name}.{attribute}" if name else attribute: vars(self._holders[name]).get(attribute)
            for name, attributes in self._settings.items()
            for attribute in attributes
        }

    def put_settings(self, settings: Mapping[str, Any]) -> Undo:
        """Set them; what undoes it."""
        changed = []
        for path, value in settings.items():
            name, _, attribute = path.rpartition(".")
            part = self._holders.get(name)
            if part is not None and attribute in vars(part):
                changed.append((part, attribute, vars(part)[attribute]))
                setattr(part, attribute, value)

        def undo() -> None:
            for part, attribute, before in changed:
                setattr(part, attribute, before)

        return undo


def _configs(parts: Mapping[str, torch.nn.Module]) -> dict[str, Any]:
    """The configurations that modules of transformers read as they compute, each once."""
    found: dict[str, Any] = {}
    for name, part in parts.items():
        config = vars(part).get("config")
        if hasattr(config, "__dict__") and all(config is not known for known in found.values()):
            found[f"{name}.config" if name else "config"] = config
    return found


def _is_flag(name: str, value: Any) -> bool:
    """What a module may ask for in each call (`use_cache`); numbers are in the modules, too."""
    return type(value) is bool and not name.startswith("_")


def _count(module: torch.nn.Module) -> int:
    return sum(1 for _ in modules_of(module))
