"""What all tests share: no network, a small recipe in GLUE's layout, and clean global state."""

import gc
import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

# Nothing answers there: a test that asks a hub fails at once, in a child process too.
os.environ["HF_ENDPOINT"] = "http://127.0.0.1:9"
os.environ["TOKENIZERS_PARALLELISM"] = "false"
# Two tests at a time on two cores: a thread that spins while it waits takes the other test's core
# (a third of the processor time, seen with torch 2.13). Read when torch is loaded.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import torch
from accelerate.state import AcceleratorState

from reference.lesson import embedded
from reference.lesson.recipe import Recipe
from reference.lesson.recipe_sources import load_recipe
from reference.process.workers import Starter

ROOT = Path(__file__).resolve().parent.parent
GLUE = Path(os.environ.get("REFERENCE_GLUE", ROOT.parent / "shared" / "glue"))
# For tests that hold on either device; `tox -e gpu` runs those on a GPU.
DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)]
LOOPBACK = ("127.0.0.1", "::1", "localhost")


class NetworkTried(AssertionError):
    """A test asked for an address beyond this machine."""


def pytest_configure() -> None:
    """Take Ctrl-C and hang-ups again: a shell starts what runs in the background without them."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
    for name in ("WORKER", "WORKER_COUNT", "TESTRUNUID"):  # a test's own pytest is no worker
        os.environ.pop(f"PYTEST_XDIST_{name}", None)


def pytest_collection_finish() -> None:
    """What is loaded by now stays loaded: the garbage collector needn't look through it again."""
    gc.collect()
    gc.freeze()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if not (GLUE / "MRPC").is_dir():
        absent = pytest.mark.skip(reason=f"no GLUE files in {GLUE}; set REFERENCE_GLUE")
        for item in items:
            if "real" in item.keywords:
                item.add_marker(absent)


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every connection beyond this machine raises."""
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: Any) -> None:
        if isinstance(address, tuple) and address[0] not in LOOPBACK:
            raise NetworkTried(str(address))
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)


@pytest.fixture(autouse=True)
def clean_state() -> Iterator[None]:
    """Accelerate and the Trainer leave settings behind, in a singleton and in variables."""
    before = dict(os.environ)
    AcceleratorState._reset_state(reset_partial_state=True)
    yield
    for name in os.environ.keys() - before.keys():
        del os.environ[name]
    os.environ.update(before)
    AcceleratorState._reset_state(reset_partial_state=True)
    torch.use_deterministic_algorithms(False)


@pytest.fixture(scope="session")
def start() -> Iterator[Starter]:
    """Starts the processes of runs of several, forked from one that has imported what they need."""
    from tests.helpers.ranks import processes

    with processes() as starter:
        yield starter


def write_mrpc(folder: Path, train: int, validation: int) -> Path:
    """The first rows of the embedded corpus, as GLUE's MRPC files."""
    (folder / "MRPC").mkdir(parents=True)
    for name, split, count in (("train", "train", train), ("dev", "validation", validation)):
        rows = embedded.make_split("mrpc", split)
        lines = ["Quality\t#1 ID\t#2 ID\t#1 String\t#2 String"]
        for i in range(count):
            texts = f"{rows['sentence1'][i]}\t{rows['sentence2'][i]}"
            lines.append(f"{rows['label'][i]}\t{i}\t{i}\t{texts}")
        (folder / "MRPC" / f"{name}.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8-sig")
    return folder


def write_sst2(folder: Path, train: int, validation: int) -> Path:
    """The first rows of the embedded reviews, as GLUE's SST-2 files."""
    (folder / "SST-2").mkdir(parents=True)
    for name, split, count in (("train", "train", train), ("dev", "validation", validation)):
        rows = embedded.make_split("sst2", split)
        lines = [f"{rows['sentence'][i]}\t{rows['label'][i]}" for i in range(count)]
        text = "\n".join(["sentence\tlabel", *lines]) + "\n"
        (folder / "SST-2" / f"{name}.tsv").write_text(text, encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
def small_glue(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """44 training pairs (5 batches of 8 and one of 4) and 20 to evaluate on."""
    return write_mrpc(tmp_path_factory.mktemp("glue"), 44, 20)


@pytest.fixture
def small(small_glue: Path) -> Recipe:
    """The embedded recipe on 44 pairs: 3 epochs of 6 steps, dropout on, clipping active."""
    return load_recipe("embedded", {"data": str(small_glue), "device": "cpu"})
