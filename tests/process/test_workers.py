"""Processes that are started here: new or forked, they behave alike, and none is left behind."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from reference.errors import InputError, TrainingFailed, WorkerDied
from reference.lesson.recipe import Recipe
from reference.process.fork_server import ForkServer
from reference.process.workers import NewProcesses, Starter, Worker, failure, stop, take_turns
from reference.run import worker_processes
from tests.helpers.waiting import has_ended

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="forks")

# What the processes run, and what the server imports before.
TASK = """
import os, signal, sys, threading, time
here = {"imported": "slow" in sys.modules, "threads": len(os.listdir("/proc/self/task"))}
what = sys.argv[1]
if what == "report":
    import json
    here |= {"words": sys.argv[1:], "set": os.environ.get("SET"), "name": __name__}
    here |= {"group": os.getpgid(0), "pid": os.getpid(), "modules": sorted(sys.modules)}
    print(json.dumps(here))
elif what == "code":
    sys.exit(int(sys.argv[2]))
elif what == "raise":
    raise ValueError("planted")
elif what == "die":
    os.kill(os.getpid(), signal.SIGKILL)
elif what == "wait":
    from reference.process.signals import stop_at_end_of_input
    stop_at_end_of_input()
    print("waits", flush=True)
    while True:
        time.sleep(60)
elif what == "hold the lock":
    import ctypes
    from reference.process import signals
    signals.GRACE = 0.1
    signal.signal(signal.SIGTERM, lambda *_: ctypes.PyDLL(None).pause())
    signals.stop_at_end_of_input()
    print("waits", flush=True)
    while True:
        time.sleep(60)
elif what == "wait for the end":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    print("waits", flush=True)
    while True:
        time.sleep(60)
"""
SLOW = "print('imports', flush=True)\n"
THREADED = "import threading, time\nthreading.Thread(target=time.sleep, args=(99,), daemon=True)"


@pytest.fixture
def modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "task.py").write_text(TASK)
    (tmp_path / "slow.py").write_text(SLOW)
    (tmp_path / "threaded.py").write_text(THREADED + ".start()\n")
    (tmp_path / "broken.py").write_text("raise ValueError('planted')\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return tmp_path


STARTERS: dict[str, Callable[[], Starter]] = {
    "new": lambda: NewProcesses({"SET": "yes"}),
    "forked": lambda: ForkServer(["slow", "broken"], {"SET": "yes"}),
}


@pytest.fixture(params=STARTERS)
def starter(request: pytest.FixtureRequest, modules: Path) -> Iterator[Starter]:
    with STARTERS[request.param]() as processes:
        yield processes


def report(processes: Starter, log: Path) -> dict[str, object]:
    worker = processes.start(["-m", "task", "report", "a b"], log)
    assert worker.wait() == 0, log.read_text()
    told: dict[str, object] = json.loads(log.read_text().splitlines()[-1])
    assert told["group"] == told["pid"] == worker.pid
    return told


def test_a_process_gets_what_it_was_started_with(starter: Starter, tmp_path: Path) -> None:
    told = report(starter, tmp_path / "log")
    assert told["words"] == ["report", "a b"]
    assert told["name"] == "__main__"
    assert told["set"] == "yes"
    assert told["imported"] == isinstance(starter, ForkServer)
    report(starter, tmp_path / "log")  # a log is written anew
    assert len((tmp_path / "log").read_text().splitlines()) == 1


@pytest.mark.parametrize(
    ("words", "code"),
    [(["code", "0"], 0), (["code", "5"], 5), (["raise"], 1), (["die"], -signal.SIGKILL)],
)
def test_exit_codes(words: list[str], code: int, starter: Starter, tmp_path: Path) -> None:
    log = tmp_path / "log"
    assert starter.start(["-m", "task", *words], log).wait() == code
    assert ("ValueError: planted" in log.read_text()) == (words == ["raise"])


def test_a_forked_process_that_would_inherit_threads_imports_anew(
    modules: Path, tmp_path: Path
) -> None:
    with ForkServer(["slow", "threaded"], {}) as processes:
        told = report(processes, tmp_path / "log")
    assert told["imported"] is False
    assert told["threads"] == 1
    assert "imports started threads (1), so that no fork is safe" in (tmp_path / "log").read_text()


def test_the_loops_imports_start_no_thread(modules: Path, tmp_path: Path) -> None:
    """Or `compare` would import three times again, on a CPU of Linux, with one thread."""
    with worker_processes.starter(Recipe(device="cpu")) as processes:
        assert isinstance(processes, ForkServer)
        told = report(processes, tmp_path / "log")
    assert told["threads"] == 1
    for loop in ("trainer", "manual", "accelerated"):
        assert f"reference.lesson.loops.{loop}" in told["modules"]  # type: ignore[operator]


@pytest.mark.parametrize(
    "recipe", [Recipe(device="cuda"), Recipe(device="cpu", num_threads=2)], ids=["gpu", "threads"]
)
def test_what_must_not_be_forked_is_started_new(recipe: Recipe) -> None:
    assert isinstance(worker_processes.starter(recipe), NewProcesses)


def test_a_library_must_not_fork_on_macos(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    assert isinstance(worker_processes.starter(Recipe(device="cpu")), NewProcesses)


def until(so: Callable[[], bool]) -> None:
    """Wait for what a test wants to see; ten minutes, for a machine with much else to do."""
    pause = threading.Event()
    for _ in range(600 * 50):
        if so():
            return
        pause.wait(0.02)
    raise AssertionError("it never came")


def waiting(processes: Starter, log: Path, words: str = "wait") -> Worker:
    worker = processes.start(["-m", "task", words], log)
    until(lambda: "waits" in log.read_text())
    return worker


@pytest.mark.parametrize(
    ("words", "code"), [("wait", -signal.SIGTERM), ("wait for the end", -signal.SIGKILL)]
)
def test_stop_ends_a_process_that_would_go_on(
    words: str, code: int, starter: Starter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if words == "wait for the end":
        monkeypatch.setattr("reference.process.workers.GRACE", 0.1)
    worker = waiting(starter, tmp_path / "log", words)
    assert worker.poll() is None
    stop([worker])
    assert worker.poll() == code


def test_a_process_ends_with_its_starter(modules: Path, tmp_path: Path) -> None:
    with STARTERS["new"]() as processes:
        worker = waiting(processes, tmp_path / "log")
    assert worker.wait() == -signal.SIGTERM
    with STARTERS["forked"]() as processes:
        worker = waiting(processes, tmp_path / "log")
    until(lambda: has_ended(worker.pid))


# Starts a server that never comes to the end of its imports, and says its number.
STARTS = """
import sys, threading
from pathlib import Path
from reference.process.fork_server import ForkServer
with ForkServer(["endless"], {}) as processes:
    print(processes._start_server(Path(sys.argv[1])).pid, flush=True)
    threading.Event().wait()
"""


def test_a_server_that_imports_ends_with_a_killed_starter(modules: Path, tmp_path: Path) -> None:
    """It looked at its input only after its imports, 10 s later."""
    (modules / "endless.py").write_text("print('waits', flush=True)\nwhile True:\n    pass\n")
    log = tmp_path / "log"
    process = subprocess.Popen([sys.executable, "-c", STARTS, str(log)], stdout=subprocess.PIPE)
    assert process.stdout is not None
    with process.stdout as said:
        server = int(said.readline())
        until(lambda: "waits" in log.read_text())
        process.kill()
        process.wait()
    until(lambda: has_ended(server))


def test_whoever_is_too_late_to_end_with_its_parent_ends() -> None:
    late = "import os; from reference.process.signals import die_with; die_with(os.getpid())"
    assert subprocess.run([sys.executable, "-c", late], check=False).returncode == -signal.SIGKILL


def test_a_process_that_catches_the_stop_ends_all_the_same(modules: Path, tmp_path: Path) -> None:
    """By the kernel's clock, as a library may hold Python's lock and never give it back."""
    with STARTERS["new"]() as processes:
        worker = waiting(processes, tmp_path / "log", "hold the lock")
    assert worker.wait() == -signal.SIGALRM


def test_a_server_that_dies_is_its_processes_death(modules: Path, tmp_path: Path) -> None:
    with ForkServer([], {}) as processes:
        worker = waiting(processes, tmp_path / "log")
        parent = int(Path(f"/proc/{worker.pid}/stat").read_text().rsplit(")")[-1].split()[1])
        os.kill(parent, signal.SIGKILL)
        assert worker.wait() == -signal.SIGKILL
        until(lambda: has_ended(worker.pid))
        assert processes.start(["-m", "task", "report"], tmp_path / "log").wait() == -9
    assert "the process that imports for all loops ended with code -9" in log_of(tmp_path)


def test_a_fork_that_fails_is_no_success(
    modules: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server ends by an error; before, its exit code was 0, and so its process's."""
    (modules / "no_fork.py").write_text("import os\nos.fork = lambda: os.stat('/nowhere')\n")
    with ForkServer(["no_fork"], {}) as processes:
        assert processes.start(["-m", "task", "report"], tmp_path / "log").wait() == 1
    assert "FileNotFoundError" in log_of(tmp_path)


def test_unseeded_draws_differ(modules: Path, tmp_path: Path) -> None:
    """Or two loops that don't seed would be called identical, as both begin as the server is."""
    (modules / "draws.py").write_text(
        "import random, sys, numpy\nprint(random.random(), numpy.random.rand())\n"
    )
    drawn = set()
    with ForkServer(["numpy"], {}) as processes:
        for name in ("a", "b"):
            assert processes.start(["-m", "draws"], tmp_path / name).wait() == 0
            drawn |= set((tmp_path / name).read_text().split())
    assert len(drawn) == 4


def log_of(folder: Path) -> str:
    return (folder / "log").read_text()


def test_tasks_take_turns(starter: Starter, tmp_path: Path) -> None:
    seen: list[tuple[str, int]] = []
    running: set[str] = set()
    most = 0

    def start(name: str) -> Worker:
        nonlocal most
        running.add(name)
        most = max(most, len(running))
        return starter.start(["-m", "task", "code", name], tmp_path / name)

    def look(name: str, code: int | None) -> None:
        if code is not None:
            running.remove(name)
            seen.append((name, code))

    take_turns(["0", "7", "4"], 2, start, look)
    assert sorted(seen) == [("0", 0), ("4", 4), ("7", 7)]
    assert most == 2


def test_one_failure_ends_all_others(starter: Starter, tmp_path: Path) -> None:
    workers: list[Worker] = []

    def start(name: str) -> Worker:
        workers.append(waiting(starter, tmp_path / name))
        return workers[-1]

    def look(name: str, code: int | None) -> None:
        assert code is None
        if len(workers) == 2:
            raise TrainingFailed("planted")

    with pytest.raises(TrainingFailed, match="planted"):
        take_turns(["a", "b", "c"], 2, start, look)
    assert [worker.poll() for worker in workers] == [-signal.SIGTERM] * 2


@pytest.mark.parametrize(
    ("log", "code", "kind", "line"),
    [
        ("\r 0%|\nreference: error: step 2: why\n\r 11%|#", 3, TrainingFailed, "m: step 2: why"),
        ("reference: error: x.tsv: row 2\n", 2, InputError, "x.tsv: row 2"),
        ("Traceback\nValueError: no\n", 1, WorkerDied, "m ended with code 1: ValueError: no; see "),
        ("so far\n", -9, WorkerDied, "m was killed by SIGKILL: so far; see "),
        ("", -9, WorkerDied, "m was killed by SIGKILL: it gave no reason; see "),
    ],
)
def test_why_a_process_failed(
    log: str, code: int, kind: type[Exception], line: str, tmp_path: Path
) -> None:
    (tmp_path / "m.log").write_text(log)
    error = failure("m", code, tmp_path / "m.log")
    assert type(error) is kind
    assert str(error).removesuffix(str(tmp_path / "m.log")) == line
    assert error.exit_code == (2 if kind is InputError else 3)
