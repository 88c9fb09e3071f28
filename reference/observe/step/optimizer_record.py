"""What the ledger writes of an optimizer: what it does to each parameter, however it is grouped.

See it: `python -m reference train manual --max-steps 5 --run-dir try`, then `try/ledger.jsonl`.

One group or two with the same hyper-parameters are the same optimizer, and so are Adam and AdamW
without decay. So hyper-parameters are written for each parameter, and those that do nothing are
left out. How a step is computed (`fused`, `foreach`) stands apart: it may move bits, or not.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor
from torch.optim import Optimizer

from reference.ledger.marks import ABSENT, NO_GROUP
from reference.ledger.record import Record
from reference.observe.step.describe import Number, number
from reference.observe.tensors.hashing import hash_tensor
from reference.observe.tensors.listed import listed
from reference.observe.tensors.parameters import Parameters

HOW = ("fused", "foreach", "capturable", "differentiable")
NOT_HYPER = ("params", "lr", "initial_lr", "swa_lr", *HOW)


class OptimizerAtStep:
    """An optimizer as it steps: which group each parameter with a gradient is in.

    Args:
        index: the optimizer's number, in the order of their first steps.
        optimizer: about to step; its gradients are there.
        parameters: of all models that were seen.
    """

    def __init__(self, index: int, optimizer: Optimizer, parameters: Parameters) -> None:
        self.optimizer = optimizer
        self.index = index
        groups: dict[int, dict[str, Any]] = {}  # by a parameter's place
        self._strangers = 0  # parameters of no model that was seen
        for group in optimizer.param_groups:
            for parameter in group["params"]:
                place = parameters.place(parameter)
                self._strangers += place is None
                if place is not None:
                    groups[place] = group
        # By place: the parameter's group, or one of the two words.
        self._groups: dict[int, dict[str, Any] | str] = {
            place: ABSENT if tensor.grad is None else groups.get(place, NO_GROUP)
            for place, tensor in parameters.living().items()
        }
        # How many of a known model's parameters it has that have no gradient now.
        self.idle = sum(self._groups.get(place) == ABSENT for place in groups)
        self._total = parameters.count

    def describe(self) -> Record:
        """The link `optimizer`: class, distinct hyper-parameters, and which parameter has which."""
        hyper: list[Record] = []
        places: dict[int, str] = {}  # a group's id -> its place among the distinct sets
        of = []
        for group in self._groups.values():
            if isinstance(group, str):
                of.append(group)
                continue
            if id(group) not in places:
                own = effective(group)
                if own not in hyper:
                    hyper.append(own)
                places[id(group)] = str(hyper.index(own))
            of.append(places[id(group)])
        first = self.optimizer.param_groups[0]
        base = self._rates("initial_lr")
        return {
            "index": self.index,
            "class": type(self.optimizer).__name__,
            "hyper": hyper,
            "of": listed(tuple(self._groups), of, self._total),
            "strangers": self._strangers,
            "how": {key: first[key] for key in HOW if first.get(key)},
            "base_learning_rate": base if base else self._rates("lr"),
        }

    def places(self) -> frozenset[int]:
        """Of the parameters that it steps."""
        return frozenset(p for p, group in self._groups.items() if not isinstance(group, str))

    def learning_rates(self) -> list[Number | str]:
        """The learning rates by now: one where all parameters have the same, else one each."""
        return self._rates("lr")

    def _rates(self, key: str) -> list[Number | str]:
        known = [g for g in self._groups.values() if not isinstance(g, str) and key in g]
        groups = {id(group): group for group in known}
        each = {place: number(group[key]) for place, group in groups.items()}
        distinct = set(each.values())
        if len(distinct) < 2:
            return list(distinct)
        rates: list[Number | str] = [ABSENT] * self._total
        for place, group in self._groups.items():
            rates[place] = group if isinstance(group, str) else each.get(id(group), NO_GROUP)
        return rates


def effective(group: Mapping[str, Any]) -> Record:
    """A group's hyper-parameters without those that do nothing at these values."""
    kept = {k: _plain(v) for k, v in group.items() if k not in NOT_HYPER}
    if not kept.get("weight_decay", 1):
        kept.pop("decoupled_weight_decay", None)
    if not kept.get("momentum", 1):
        kept.pop("nesterov", None)
        kept.pop("dampening", None)
    for key in ("amsgrad", "maximize"):
        if kept.get(key) is False:
            kept.pop(key)
    return kept


def _plain(value: Any) -> Any:
    if isinstance(value, Tensor):
        return number(value) if value.numel() == 1 else hash_tensor(value)
    if isinstance(value, list | tuple) and not isinstance(value, str):
        return _sequence(value)
    if isinstance(value, float):
        return number(value)
    return value if isinstance(value, bool | int | str) or value is None else type(value).__name__


def _sequence(values: Sequence[Any]) -> list[Any]:
    return [_plain(v) for v in values]
