"""The first training, A: says what it does, and gives its tensors to whoever asks.

It goes ahead of the other up to where its tensors would change: the end of a backward pass, the
optimizer's step and its end. There it waits until the other lets it go on.
"""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from reference.ledger.marks import ABSENT
from reference.ledger.record import Record
from reference.lockstep.generator_states import generator_states, pack_generators
from reference.lockstep.losses import LossCall, loss_call
from reference.lockstep.optimizer_state import described_state, digest, state_of
from reference.lockstep.other_models import inputs_of
from reference.lockstep.packing import comparable, described_all, pack
from reference.lockstep.put_batch import number_of
from reference.lockstep.side_report import Report
from reference.lockstep.sparse_parts import split
from reference.lockstep.torch_hooks import Call
from reference.lockstep.watcher import (
    OpenPass,
    Watcher,
    autocast_now,
    groups_of,
    outputs_of,
)
from reference.lockstep.wire import Bytes, Connection

FEW = 1 << 20  # bytes of buffers and batches that are sent unasked


class Leader:
    """A's side of its hooks."""

    def __init__(self, peer: Connection, report: Report) -> None:
        self._peer, self._report = peer, report
        self.watcher = Watcher(self._tell_evaluation)
        self._pass: OpenPass | None = None
        self._is_open = False
        self._outputs: dict[int, dict[str, Tensor]] = {}  # by a pass's number in the step
        self._inner: list[LossCall] = []
        self._rng: dict[str, str] = {}
        self._told: dict[int, tuple[Any, ...]] = {}  # modes and settings, by a module's number
        self._buffers: dict[str, str] = {}
        self._raw: Record = {}  # gradients, as the step's last backward pass left them
        self._optimizer: Optimizer | None = None
        self._watches_clips = True
        self._datasets: list[Any] = []
        self._batches: list[int] = []  # that each has given
        self._wanted: int | None = None  # the loader whose batches B takes, once that is known

    def pass_begins(
        self, module: torch.nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> None:
        """See `Side`."""
        begun = self._pass = self.watcher.begin(module, args, kwargs)
        self._report.check_processes()
        self._is_open, self._inner = True, []
        inputs, pieces = pack(begun.inputs)
        generators, states = pack_generators()
        self._rng = {name: each["state"] for name, each in generators.items()}
        record: Record = {
            "model": begun.model,
            "record": begun.record,
            "called": begun.called,
            "inputs": inputs,
            "names": list(begun.given.tensors),
            "plain": begun.given.plain,
            "rng": generators,
            "autocast": autocast_now(module),
            **self._weights(begun, pieces),
            **self._modes(begun),
        }
        self._tell("pass", record, {**pieces, **states})

    def _weights(self, begun: OpenPass, pieces: dict[str, Bytes]) -> Record:
        """What the step begins with: of its first pass, and of one that brings new parameters."""
        if begun.number > 1 and begun.record is None:
            return {}
        values = self.watcher.parameters.values()
        hashes = values.get("buffers", {}).get("tensors", {})
        changed = {n: t for n, t in self.watcher.parameters.buffers().items() if n in hashes}
        fresh = {n: t for n, t in changed.items() if self._buffers.get(n) != hashes[n]}
        records, bytes_of = pack(fresh)
        self._buffers = dict(hashes)
        pieces.update(bytes_of)
        return {
            "weights": values,
            "buffers": records,
            "frozen": self.watcher.frozen(),
        }

    def _modes(self, begun: OpenPass) -> Record:
        """Modes and settings of its modules, where they aren't as they were."""
        now = begun.parts.modes(), begun.parts.settings()
        if self._told.get(begun.called) == now:
            return {}
        self._told[begun.called] = now
        return {"modes": now[0], "settings": now[1]}

    def part_begins(self) -> None:
        """See `Side`."""
        assert self._pass is not None
        self._tell("inner", {"autocast": autocast_now(self._pass.module)})

    def pass_ends(self, output: Any) -> None:
        """See `Side`."""
        assert self._pass is not None
        self._is_open = False
        outputs = comparable(outputs_of(output))
        self._outputs[self._pass.number] = outputs
        self._pass.outputs = outputs
        after = generator_states()
        drawn = [name for name, state in after.items() if self._rng.get(name, state) != state]
        records: Record = described_all(outputs)
        numbers = {n: t.item() for n, t in outputs.items() if t.numel() == 1}
        losses, pieces = _packed(self._inner)
        record = {"outputs": records, "numbers": numbers, "drawn": drawn, "losses": losses}
        record["after"] = after
        self._tell("pass_end", record, pieces)

    def pass_fails(self) -> None:
        """See `Side`."""
        self._is_open = False

    def looks(self, module: torch.nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """See `Side`."""
        trains = self.watcher.trains(module)
        told = self.watcher.others.take(module, self.watcher.step, trains=trains)
        if told is not None:
            self._tell("look", told)
        number = self.watcher.others.number(module)
        if number is not None and not trains:
            inputs, pieces = pack(local(inputs_of(module, args, kwargs)))
            self._tell("look_pass", {"number": number, "inputs": inputs}, pieces)
        self.watcher.evaluations.begin(module, args, kwargs)

    def has_looked(self, output: Any) -> None:
        """See `Side`."""
        self.watcher.evaluations.end(self.watcher.step, output)

    def loss(self, name: str, function: Call, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """See `Side`."""
        call = loss_call(name, function, args, kwargs)
        if self._is_open:
            result = call.run()
            call.take(result)
            self._inner.append(call)
            return result
        losses, pieces = _packed([call])
        self._tell("loss", losses[0], pieces)
        result = call.run()
        call.take(result)
        self._tell("loss_end", {"value": call.value, "hash": call.hash})
        return result

    def backward(self, tensors: list[Tensor], run: Callable[[], None]) -> None:
        """See `Side`."""
        parameters = self.watcher.parameters
        numbers = [t.detach().item() if t.numel() == 1 else None for t in tensors]
        first = self.watcher.backwards == 0
        left = parameters.gradients().record if first else {}
        record = {"root": numbers, "left": left, "passes": self.watcher.passes}
        is_left = any(each != ABSENT for each in left.get("tensors", "").split())
        self._tell("backward_begin", record, parks=is_left)
        run()
        self.watcher.end_backward()
        gradient = parameters.gradients().record
        count = {"passes": self.watcher.passes, "backwards": self.watcher.backwards}
        self._raw = gradient
        self._tell("backward", {"gradient": gradient, **count}, parks=True)

    def clip(self, name: str, bound: float, run: Callable[[float], Any]) -> Any:
        """See `Side`."""
        late = self.watcher.passes == 0  # after the step before
        with self.watcher.clipping(is_watched=self._watches_clips and not late):
            result = run(bound)
        norm = float(result) if isinstance(result, Tensor) else None
        self._tell("clip", {"name": name, "bound": bound, "norm": norm, "late": late})
        return result

    def step_begins(self, optimizer: Optimizer) -> None:
        """See `Side`."""
        self._optimizer = optimizer
        parameters = self.watcher.parameters
        record = {
            "gradient": parameters.gradients().record,
            "raw": self._raw,
            "backwards": self.watcher.backwards,
            "passes": self.watcher.passes,
            "rows": self.watcher.rows,
            "clipped": self.watcher.clipped,
            "state": digest(described_state(optimizer, parameters)),
            **groups_of(optimizer, parameters),
        }
        self._tell("step", record, parks=True)

    def step_ends(self, _optimizer: Optimizer) -> None:
        """See `Side`."""
        self._tell("step_end", {"update": self.watcher.parameters.values()}, parks=True)
        self._outputs.clear()
        self._pass, self._raw = None, {}
        self.watcher.end_step()
        self._report.steps(self.watcher.step - 1)

    def loader_yields(self, dataset: Any, batch: Any) -> Any:
        """See `Side`."""
        number = number_of(dataset, self._datasets)
        if number == len(self._batches):
            self._batches.append(0)
        index = self._batches[number]
        self._batches[number] += 1
        if self._wanted is None or self._wanted == number:
            records, pieces = pack(local(outputs_of(batch)))
            self._tell("loader", {"loader": number, "index": index, "tensors": records}, pieces)
        return batch

    def end(self) -> None:
        """The script has ended: its last tensors may still be asked for."""
        self.watcher.evaluations.close()
        update = self.watcher.parameters.values()
        self._tell("end", {"steps": self.watcher.step - 1, "weights": update}, parks=True)

    def _tell_evaluation(self, record: Record) -> None:
        self._tell("evaluation", {"record": record})

    def _tell(
        self,
        kind: str,
        record: Record,
        pieces: Mapping[str, Bytes] | None = None,
        *,
        parks: bool = False,
    ) -> None:
        """Say what is done, and wait where `parks`."""
        head = {"kind": kind, "step": self.watcher.step, "parks": parks}
        head["pass"] = 0 if self._pass is None else self._pass.number
        self._peer.send({**head, **record}, pieces)
        while parks:
            request, _ = self._peer.receive()
            if "go" in request:
                self._wanted, self._watches_clips = request["loader"], request["clips"]
                return
            self._answer(request)

    def _answer(self, request: Record) -> None:
        tensors: dict[str, Tensor] = {}
        record: Record = {}
        places = request.get("places", [])
        if request["get"] == "weights":
            tensors = {str(p): self.watcher.tensor(p).detach() for p in places}
        elif request["get"] == "gradients":
            grads = {str(p): self.watcher.tensor(p).grad for p in places}
            tensors = split({p: g.detach() for p, g in grads.items() if g is not None})
        elif request["get"] == "buffers":
            everything = self.watcher.parameters.buffers()
            tensors = {name: everything[name] for name in request["names"]}
        elif request["get"] == "outputs":
            outputs = self._outputs.get(request["pass"], {})
            tensors = {name: outputs[name] for name in request["names"]}
        elif request["get"] == "other":
            everything = self.watcher.others.tensors(request["number"])
            tensors = {name: everything[name] for name in request["names"]}
        elif request["get"] == "state" and self._optimizer is not None:
            everything = state_of(self._optimizer, self.watcher.parameters)
            tensors = {name: everything[name] for name in request["names"]}
        elif request["get"] == "state described" and self._optimizer is not None:
            own = self._optimizer, self.watcher.parameters
            record = {"parts": described_state(*own), "tensors": list(state_of(*own))}
        records, pieces = pack(local(tensors))
        self._peer.send({"kind": "answer", "tensors": records, "record": record}, pieces)


def local(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Dense, so that their bytes can be sent."""
    return {n: t if t.layout == torch.strided else t.to_dense() for n, t in tensors.items()}


def _packed(calls: list[LossCall]) -> tuple[list[Record], dict[str, Bytes]]:
    records, pieces = [], {}
    for call in calls:
        record, bytes_of = call.pack()
        records.append(record)
        pieces.update(bytes_of)
    return records, pieces
