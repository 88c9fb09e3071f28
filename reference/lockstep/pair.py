"""Both trainings, started and watched: what they note, how they end, and what ends them."""

import os
import select
import socket
import subprocess
import sys
import time
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

from reference.ledger.record import Record
from reference.lockstep.links import LINKS, PATIENCE
from reference.lockstep.output import Prefixed
from reference.lockstep.processes import Function, Process, Words, start_function, start_script
from reference.lockstep.wire import Connection, PeerGone
from reference.process.workers import stop

WORKING = 10  # times as long, while it computes
POLL = 0.5
LAST_WORDS = 5.0  # seconds to end in, for what is left to run at exit
ALONE = "the other is gone"


@dataclass
class SideRun:
    """One of the two, as far as the parent knows.

    Attributes:
        name: "A" or "B".
        words: The script and its arguments.
        steps: That it has taken.
        end: What it said at its end.
        failure: Why nothing more can be compared, on its account.
        asked: It asked for input, which there is none of.
        began: Its script was found, and run.
        traceback: Of an error that is this package's own.
    """

    name: str
    words: Sequence[str]
    steps: int = 0
    end: Record | None = None
    failure: str = ""
    asked: bool = False
    began: bool = True
    traceback: str = ""


@dataclass
class PairRun:
    """What two trainings at once have shown.

    Attributes:
        sides: A and B.
        notes: B's, of all steps in order.
        drew: The steps of which a pass drew from a generator, on either side.
        steps: That were compared.
        seconds: How long it took.
    """

    sides: tuple[SideRun, SideRun]
    notes: list[Record] = field(default_factory=list)
    drew: set[int] = field(default_factory=set)
    steps: int = 0
    seconds: float = 0.0


def run_pair(
    a: Words | Function,
    b: Words | Function,
    *,
    put: Collection[str] = LINKS,
    leave_out: Collection[str] = (),
    steps: int | None = None,
    pythons: tuple[str, str] = (sys.executable, sys.executable),
    patience: float = PATIENCE,
    out: TextIO | None = None,
) -> PairRun:
    """Run two trainings at once, link by link.

    Args:
        a: `SCRIPT ARGS...` or `-m MODULE ARGS...`; or a function, which a fork of this process
            calls.
        b: The other's.
        put: The links of which A's is put in B's place. Unless these are all of them and nothing is
            left out, B goes its own way from there: what it computes isn't put right.
        leave_out: What isn't put in place of these links, as 'link/field'.
        steps: After which both are ended; None for all.
        pythons: The interpreters.
        patience: Seconds without a word, after which one counts as hung.
        out: Where what they print goes; stdout and stderr if None.
    """
    began = time.monotonic()
    pair = _Pair((a, b), patience)
    options = {"put": sorted(put), "leave_out": sorted(leave_out), "steps": steps}
    try:
        pair.start((a, b), pythons, options, out)
        pair.watch()
    finally:
        pair.stop()
    pair.run.seconds = time.monotonic() - began
    return pair.run


class _Pair:
    def __init__(self, targets: tuple[Words | Function, ...], patience: float) -> None:
        a, b = map(_words_of, targets)
        self.run = PairRun((SideRun("A", a), SideRun("B", b)))
        self._patience = patience
        self._processes: list[Process] = []
        self._reports: dict[int, tuple[socket.socket, Connection]] = {}  # of those that speak
        self._ends: list[socket.socket] = []
        self._printed: list[list[Prefixed]] = []
        self._signs = [_SignsOfLife(), _SignsOfLife()]

    def start(
        self,
        targets: Sequence[Words | Function],
        pythons: Sequence[str],
        options: Record,
        out: TextIO | None,
    ) -> None:
        """Both, each with a socket to the other and one to this process."""
        between = socket.socketpair()
        for i, (side, target) in enumerate(zip(self.run.sides, targets, strict=True)):
            ours, theirs = socket.socketpair()
            ends = {"peer": between[i].fileno(), "parent": theirs.fileno()}
            own = {**options, **ends, "role": side.name}
            if callable(target):
                others = [between[1 - i].fileno(), ours.fileno()]
                others += [end.fileno() for end, _ in self._reports.values()]
                process = start_function(target, own, others)
            else:
                process = start_script(target, own, pythons[i])
            theirs.close()
            self._processes.append(process)
            self._reports[i] = ours, Connection(ours)
            self._ends.append(ours)
        for end in between:
            end.close()
        # When both are there: a fork has no thread but its own.
        for side, process in zip(self.run.sides, self._processes, strict=True):
            self._printed.append(_pumps(process, f"{side.name}| ", out))

    def watch(self) -> None:
        """Until both have ended, or one of them keeps the other from going on."""
        while self._reports and not self._is_over():
            sockets = {end: i for i, (end, _) in self._reports.items()}
            ready, _, _ = select.select(list(sockets), [], [], POLL)
            for end in ready:
                self._take(sockets[end])
            self._look_for_hangs()

    def _is_over(self) -> bool:
        a, b = self.run.sides
        if a.failure or b.failure:
            return not self._is_alone(a) and not self._is_alone(b)
        if b.end is None:
            return False
        return a.end is not None or b.end.get("others_steps") is None

    def _is_alone(self, side: SideRun) -> bool:
        """Whether it only says that the other is gone: that one has more to say."""
        other = self.run.sides[side is self.run.sides[0]]
        return side.failure == ALONE and not other.failure and other.end is None

    def _take(self, i: int) -> None:
        side = self.run.sides[i]
        try:
            record, _ = self._reports[i][1].receive()
        except PeerGone:
            del self._reports[i]
            if side.end is None and not side.failure:
                side.failure = _how_ended(self._processes[i].worker.wait())
            return
        self._signs[i].heard()
        kind = record["kind"]
        if kind == "steps":
            side.steps = record["steps"]
        elif kind == "waits":
            self._signs[i].waits = record["waits"]
        elif kind == "step":
            self.run.notes += record["notes"]
            if record.get("over"):
                return
            side.steps = self.run.steps = record["step"]
            if record["drew"]:
                self.run.drew.add(record["step"])
        elif kind == "end":
            side.end, side.steps = record, record["steps"]
            if record["code"]:
                side.failure = f"ended with exit code {record['code']}"
                side.asked = record.get("error") == "EOFError"
        elif kind == "alone":
            side.failure = side.failure or ALONE
        elif kind in ("failed", "no program"):
            side.failure, side.traceback = record["why"], record.get("traceback", "")
            side.began = kind == "failed"

    def _look_for_hangs(self) -> None:
        for i in self._reports:
            signs, side = self._signs[i], self.run.sides[i]
            signs.look(self._processes[i].worker.pid, sum(p.count for p in self._printed[i]))
            if side.end is None and not side.failure and not signs.waits:
                seconds = signs.silent_for(self._patience)
                if seconds is not None:
                    side.failure = f"hangs: not a word in {seconds:.0f} s (--patience)"

    def stop(self) -> None:
        """End what is left of both, and take what they have printed."""
        if all(side.end is not None for side in self.run.sides):
            for process in self._processes:  # what they left to run at exit
                with suppress(subprocess.TimeoutExpired):
                    process.worker.wait(LAST_WORDS)
        stop([process.worker for process in self._processes])
        for pumps in self._printed:
            for pump in pumps:
                pump.join(LAST_WORDS)
        for end in self._ends:
            end.close()


class _SignsOfLife:
    """When one of the two was last heard of, or seen to compute."""

    def __init__(self) -> None:
        self.waits = False  # for the other
        self._heard = self._worked = time.monotonic()
        self._lines = 0
        self._cpu = 0.0

    def heard(self) -> None:
        """It has said something."""
        self._heard = time.monotonic()

    def look(self, pid: int, lines: int) -> None:
        """See whether it has printed anything, or computed."""
        now = time.monotonic()
        if lines != self._lines or self.waits:
            self._lines, self._heard = lines, now
        cpu = sum(map(_cpu_seconds, with_children(pid)))
        if cpu < self._cpu:  # one of its children has ended
            self._cpu = cpu
        if cpu > self._cpu + 0.1 * POLL:
            self._cpu, self._worked = cpu, now

    def silent_for(self, patience: float) -> float | None:
        """For how long, where that is too long."""
        now = time.monotonic()
        silent, idle = now - self._heard, now - self._worked
        is_too_long = silent > WORKING * patience or (silent > patience and idle > patience / 2)
        return silent if is_too_long else None


def _cpu_seconds(pid: int) -> float:
    """What a process has computed so far; 0 where the system doesn't say."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / float(os.sysconf("SC_CLK_TCK"))


def with_children(pid: int) -> list[int]:
    """A process and those that it has started, as a loader's workers."""
    found = [pid]
    for each in found:
        try:
            children = Path(f"/proc/{each}/task/{each}/children").read_text().split()
        except OSError:
            continue
        found += map(int, children)
    return found


def _pumps(process: Process, prefix: str, out: TextIO | None) -> list[Prefixed]:
    pumps = []
    for source, default in zip(process.outputs, (sys.stdout, sys.stderr), strict=True):
        pump = Prefixed(source, prefix, out or default)
        pump.start()
        pumps.append(pump)
    return pumps


def _how_ended(code: int) -> str:
    return f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"


def _words_of(target: Words | Function) -> Words:
    if callable(target):
        return [getattr(target, "__qualname__", type(target).__qualname__)]
    return target
