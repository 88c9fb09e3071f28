"""Observing within a program, as in a notebook; a full disk; what comes with an import."""

import errno
import io
import json
import os
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
import torch

import reference
from reference.errors import InputError
from reference.ledger.reader import read_ledger
from reference.ledger.record import LEDGER_FILE
from reference.lesson.metrics import load_metric
from reference.messages import say
from reference.observe.script import observing, tolerant_writer
from reference.observe.script.import_hook import ImportHook
from reference.observe.script.tolerant_writer import TolerantWriter
from tests.helpers.observing import observe, python, write

LIMITED = """
import resource, sys, torch
limit = int(sys.argv[1])
torch.manual_seed(0)
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
model = torch.nn.Linear(4, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for _ in range(30):
    model(torch.randn(8, 4)).square().mean().backward()
    optimizer.step()
    optimizer.zero_grad()
print(model.weight.tolist())
"""

IN_CHILDREN = """
import os, torch
from reference.observe.script import observing

def train():
    model = torch.nn.Linear(4, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for _ in range(2):
        model(torch.ones(8, 4)).square().mean().backward()
        optimizer.step()

def train_observed():
    with observing("inside"):
        train()

def run_in_a_child(function):
    pid = os.fork()
    if pid == 0:
        function()
        os._exit(0)
    os.waitpid(pid, 0)

with observing("around"):
    run_in_a_child(train)
run_in_a_child(train_observed)
with observing("both"):
    run_in_a_child(train)
    train()
with observing("neither"):
    run_in_a_child(lambda: torch.nn.Linear(4, 1)(torch.ones(2, 4)).detach())
"""
LAUNCHED = """
from accelerate import Accelerator, notebook_launcher
from reference.observe.script import observing

def train():
    import torch
    accelerator = Accelerator(cpu=True)
    model = torch.nn.Linear(4, 1)
    model, optimizer = accelerator.prepare(model, torch.optim.SGD(model.parameters(), lr=0.1))
    for _ in range(2):
        accelerator.backward(model(torch.ones(8, 4)).square().mean())
        optimizer.step()

def train_observed():
    with observing("inside"):
        train()

with observing("around"):
    notebook_launcher(train, num_processes=2, use_port="29637")
notebook_launcher(train_observed, num_processes=2, use_port="29638")
"""


def cell(model: torch.nn.Module, optimizer: torch.optim.Optimizer, steps: int) -> None:
    for _ in range(steps):
        model(torch.ones(2, 3)).square().mean().backward()
        optimizer.step()
        optimizer.zero_grad()


def make() -> tuple[torch.nn.Module, torch.optim.Optimizer]:
    model = torch.nn.Linear(3, 2)
    return model, torch.optim.SGD(model.parameters(), lr=0.1)


def test_cells_of_a_notebook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(sys.modules["__main__"], "__file__", raising=False)
    model, optimizer = make()
    with observing(tmp_path / "mine") as observer:
        cell(model, optimizer, 3)
        model.eval()
        with torch.no_grad():
            predictions = model(torch.ones(2, 3)).argmax(-1)
        load_metric("sst2").compute(predictions=predictions, references=predictions)
    assert observer.steps == 3
    ledger = read_ledger(tmp_path / "mine" / LEDGER_FILE)
    assert len(ledger.steps) == 3
    assert ledger.evaluations[0]["metrics"]["scores"] == {"accuracy": 1.0}
    assert ledger.header["program"]["script"] is None
    assert ledger.end["complete"]
    cell(model, optimizer, 2)  # seen by nobody
    assert read_ledger(tmp_path / "mine" / LEDGER_FILE).steps == ledger.steps
    with pytest.raises(InputError, match="holds another run"), observing(tmp_path / "mine"):
        pass
    with observing(tmp_path / "again") as observer:
        cell(model, optimizer, 1)
    assert observer.steps == 1


def test_a_cell_that_fails(tmp_path: Path) -> None:
    model, optimizer = make()

    def fails() -> None:
        with observing(str(tmp_path / "mine")):
            cell(model, optimizer, 2)
            _ = 1 // 0

    with pytest.raises(ZeroDivisionError):
        fails()
    ledger = read_ledger(tmp_path / "mine" / LEDGER_FILE)
    assert len(ledger.steps) == 2
    assert not ledger.end["complete"]


def test_evaluate_is_left_as_it_was(tmp_path: Path) -> None:
    import evaluate

    before = evaluate.EvaluationModule.compute
    with observing(tmp_path / "run"):
        metric = load_metric("mrpc")
    assert evaluate.EvaluationModule.compute is before
    assert metric.compute(predictions=[1, 0], references=[1, 1])["accuracy"] == 0.5


class FullDisk:
    """A file on a disk that takes `room` bytes; the last write is cut in silence, as writes are."""

    def __init__(self, file: Any, room: int) -> None:
        self.file, self.room = file, room

    def write(self, data: bytes) -> int:
        if self.room == 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        written: int = self.file.write(data[: self.room])
        self.room -= written
        return written

    def __getattr__(self, name: str) -> Any:
        return getattr(self.file, name)


@pytest.mark.parametrize("room", [0, 10, 50])
def test_a_full_disk_ends_the_ledger(
    room: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / LEDGER_FILE
    writer = TolerantWriter(path, lambda: {"loop": "mine"})
    writer.write({"kind": "step", "step": 1, "zeroed": True})
    whole = path.read_bytes()
    file: Any = writer._writer
    file._file = FullDisk(file._file, room)
    for step in (2, 3):
        writer.write({"kind": "step", "step": step, "text": "x" * 100})
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "No space left on device; the training goes on" in error
    assert "the ledger ends after step 1" in error
    assert path.read_bytes() == whole
    file._file = file._file.file  # somebody made room
    writer.write({"kind": "end", "complete": True, "steps": 3, "weights": "x", "tensors": "y z"})
    writer.close()
    end = json.loads(path.read_bytes()[len(whole) :])
    assert end == {
        "kind": "end",
        "complete": False,
        "steps": 3,
        "weights": "",
        "recorded": 1,
        "lost": "No space left on device",
    }


def test_a_header_that_cant_be_written_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nor does an end without a header; and another run's ledger is left as it is."""

    class Cut(tolerant_writer.Writer):
        def __init__(self, path: Path, _header: Any) -> None:
            path.write_bytes(b'{"kind":"hea')
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    end = {"kind": "end", "complete": True, "steps": 1, "weights": ""}
    other = tmp_path / "other.jsonl"
    other.write_text("of another run\n")
    writer = TolerantWriter(other, dict)
    writer.write(end)
    assert other.read_text() == "of another run\n"
    monkeypatch.setattr(tolerant_writer, "Writer", Cut)
    writer = TolerantWriter(tmp_path / LEDGER_FILE, dict)
    for record in ({"kind": "step", "step": 1}, end):
        writer.write(record)
    writer.close()
    assert not (tmp_path / LEDGER_FILE).exists()
    error = capsys.readouterr().err
    assert error.count("the ledger ends after step 0") == 2


@pytest.fixture(scope="module")
def limited(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A script that may write no larger file than it is told; what it prints."""
    script = write(tmp_path_factory.mktemp("limited"), "script.py", LIMITED)
    return script, python(script, "1000000").stdout


@pytest.mark.parametrize("limit", [100, 6000])
def test_training_goes_on_without_room(
    limit: int, limited: tuple[Path, str], tmp_path: Path
) -> None:
    script, printed = limited
    result = observe(tmp_path / "run", script, str(limit))
    assert (result.returncode, result.stdout) == (0, printed), result.stderr
    assert result.stderr.count("the ledger ends after step") == 1
    last = result.stderr.splitlines()[-1]
    if limit == 100:
        assert last.startswith("reference: 0 of 30 steps recorded (No space left on device); no")
        assert not (tmp_path / "run").exists()
    else:
        assert (tmp_path / "run" / LEDGER_FILE).read_bytes().endswith(b"\n")
        ledger = read_ledger(tmp_path / "run" / LEDGER_FILE)
        assert f"the ledger ends after step {len(ledger.steps)}" in result.stderr
        assert 0 < len(ledger.steps) < 30
        run = f"run: {tmp_path / 'run'}"
        why = ledger.end["lost"] if ledger.end else "No space left on device"
        assert last == (f"reference: {len(ledger.steps)} of 30 steps recorded ({why}); {run}")
        assert ledger.end is None or not ledger.end["complete"]


# Runs the command where no file may be larger than so many bytes, as on a disk that is full.
NO_ROOM = """
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv.pop(1)),) * 2)
from reference.cli.main import main
sys.exit(main())
"""


@pytest.mark.parametrize("there", [False, True])
def test_a_disk_that_is_full_from_the_beginning(there: bool, tmp_path: Path) -> None:
    """The script isn't run: nothing is lost by saying so, and everything by a ledger that isn't."""
    script = write(tmp_path, "script.py", "print('ran')")
    run = tmp_path / "run"
    if there:
        run.mkdir()
    words = ["observe", "--run-dir", run, script]
    result = python("-c", NO_ROOM, "0", *words)
    line = f"reference: error: {run}: can't be written (File too large); free some space, or give"
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.startswith(line)
    assert result.stderr.count("\n") == 1
    assert run.exists() == there
    assert list(run.glob("*")) == []
    assert python("-c", NO_ROOM, "1000", *words).stdout == "ran\n"  # the control


def test_what_can_not_be_said_stops_no_training(monkeypatch: pytest.MonkeyPatch) -> None:
    class Full(io.StringIO):
        def write(self, _text: str) -> int:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("sys.stderr", Full())
    say("the ledger ends here")


def test_an_import_is_told_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    write(tmp_path, "late_module.py", "ready = True\n")
    told: list[bool] = []
    watch = ImportHook({"late_module": lambda: told.append(sys.modules["late_module"].ready)})
    watch.install()
    try:
        import importlib.util

        assert importlib.util.find_spec("late_module") is not None  # looked up, not imported
        assert told == []
        __import__("late_module")
        assert told == [True]
        assert "exec_module" not in vars(sys.modules["late_module"].__loader__)
        del sys.modules["late_module"]
        __import__("late_module")
        assert told == [True]
    finally:
        watch.remove()
        sys.modules.pop("late_module", None)


def test_two_threads_that_write_at_once_begin_one_file(tmp_path: Path) -> None:
    """Nobody writes before the header stands there, which is made until the second one comes."""
    making, second, path = threading.Event(), threading.Event(), tmp_path / LEDGER_FILE

    class Lock:
        """As the writer's own; says when the second thread comes to it."""

        def __init__(self) -> None:
            self.lock = threading.RLock()

        def __enter__(self) -> None:
            if making.is_set():
                second.set()
            self.lock.acquire()

        def __exit__(self, *_: object) -> None:
            self.lock.release()

    def header() -> dict[str, Any]:
        making.set()
        assert second.wait(600)
        return {"loop": "mine"}

    writer = TolerantWriter(path, header)
    writer._one_at_a_time = Lock()  # type: ignore[assignment]
    first = threading.Thread(target=writer.write, args=({"kind": "step", "step": 1},))
    first.start()
    assert making.wait(600)
    writer.write({"kind": "step", "step": 2})
    first.join()
    writer.close()
    kinds = [json.loads(line)["kind"] for line in path.read_text().splitlines()]
    assert kinds == ["header", "step", "step"]


def test_a_training_in_forked_processes_is_said_to_be_there(tmp_path: Path) -> None:
    """The ledger's end has the reason, too; around a training of one's own nothing is said."""
    script = write(tmp_path, "train.py", IN_CHILDREN)
    result = python(script, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    said = (
        "around: no step was recorded: what trains is in processes that were forked from this one"
    )
    assert said in result.stderr
    assert result.stderr.count("reference: ") == 1
    around, inside, both = (
        read_ledger(tmp_path / name / LEDGER_FILE) for name in ("around", "inside", "both")
    )
    assert around.end["lost"] == "what trains is in processes that were forked from this one"
    assert not around.end["complete"]
    assert [len(ledger.steps) for ledger in (inside, both)] == [2, 2]
    assert all(ledger.end["complete"] for ledger in (inside, both))
    verdict = reference.diff(tmp_path / "around", tmp_path / "inside")
    assert verdict.detail == f"a ledger without steps ({around.end['lost']})"


@pytest.mark.slow
def test_a_notebook_launcher(tmp_path: Path) -> None:
    script = write(tmp_path, "train.py", LAUNCHED)
    result = python(script, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert "around: no step was recorded: what trains is in processes" in result.stderr
    for name in ("ledger.jsonl", "ledger-1.jsonl"):
        assert len(read_ledger(tmp_path / "inside" / name).steps) == 2
