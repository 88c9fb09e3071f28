"""One case: the command line run on a damaged input in this process, and what is wrong with how
it ended.

Whatever the input is, a command ends with one of its documented exit codes, soon, in little memory,
and says in one line what is wrong and where; it leaves nothing half written.
"""

import contextlib
import os
import resource
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, NoReturn

import torch

from reference.cli.main import SAYS, main
from reference.process.alarm import alarm
from tests.helpers.waiting import LIMIT

SLOWEST = 10.0  # seconds of CPU that a case may take: a loaded machine doesn't lengthen them
MOST = 1 << 30  # bytes by which this process may grow, all cases together
# What may be reserved of addresses on top, which costs no memory: threads' stacks, mapped files.
ADDRESSES = 4 * MOST
OURS = "see where with --debug"  # of an error that nobody foresaw
HOGS = ("MemoryError", "allocate", "bad_alloc", "out of memory")
LONGEST = 1500  # letters of a line


@dataclass(frozen=True)
class Outcome:
    """How a command ended.

    Attributes:
        code: its exit code.
        out: what it wrote to stdout.
        err: what it wrote to stderr, libraries in other languages included.
        seconds: by the clock.
        cpu: seconds of CPU, of all threads.
    """

    code: int
    out: str
    err: str
    seconds: float
    cpu: float


@dataclass(frozen=True)
class Case:
    """A damaged input, the command that is given it, and what is special about this one.

    Attributes:
        words: of the command line.
        damage: what was done, in words.
        places: of which a refusal names one at least: the damaged file or its folder.
        run_dir: where a run goes, if the command makes one.
        judge: gives what is wrong beside what is wrong in any case.
        verdict: whether exit code 2 may be a verdict, on stdout.
    """

    words: list[str]
    damage: str
    places: tuple[str, ...] = ()
    run_dir: Path | None = None
    judge: Callable[[Outcome], Iterator[str]] = field(default=lambda _: iter(()))
    verdict: bool = False


class Stuck(BaseException):
    """A case came to no end."""


@contextlib.contextmanager
def limits() -> Iterator[None]:
    """This process held to `ADDRESSES` more than it has: one case can't take the machine."""
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    taken = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    resource.setrlimit(resource.RLIMIT_AS, (taken + ADDRESSES, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def peak_memory() -> int:
    """The most memory, in bytes, that this process has had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def run(case: Case, here: Path) -> Outcome:
    """Run a case's command in the folder `here`."""
    threads = torch.get_num_threads()
    with (
        _written(1, contextlib.redirect_stdout, "strict") as out,
        _written(2, contextlib.redirect_stderr, "backslashreplace") as err,
        contextlib.chdir(here),
        alarm(LIMIT, _give_up),
    ):
        clock, cpu = time.perf_counter(), time.process_time()
        try:
            code = main(case.words)
        except KeyboardInterrupt:
            raise
        except BaseException:  # a panic of Rust's, an exit: what `main` lets through is a fault
            traceback.print_exc()
            code = -1
        clock, cpu = time.perf_counter() - clock, time.process_time() - cpu
        outcome = Outcome(code, out(), err(), clock, cpu)
    torch.set_num_threads(threads)  # a recipe may ask for a thousand
    return outcome


def complaints(case: Case, outcome: Outcome, here: Path) -> Iterator[str]:
    """What is wrong with how a case ended; nothing, if it ended as it should."""
    if outcome.cpu > SLOWEST:
        yield f"took {outcome.cpu:.1f} s of CPU"
    if list(here.iterdir()):
        yield f"left {sorted(path.name for path in here.iterdir())} in the working directory"
    if outcome.code not in (0, 1, 2):
        yield f"ended with {outcome.code}"
    if "Traceback" in outcome.err or OURS in outcome.err:
        yield "a fault of ours"
    if any(words in outcome.err for words in HOGS):
        yield "asked for more memory than there is"
    if outcome.code == 2 and not (case.verdict and not outcome.err):
        yield from _of_a_refusal(case, outcome)
    elif outcome.code in (0, 1):
        if outcome.err and case.run_dir is None:  # a training has its bar there
            yield "said something on stderr"
        if case.run_dir is not None and not (case.run_dir / "metrics.json").is_file():
            yield "left a run without its scores"
    yield from case.judge(outcome)


def _of_a_refusal(case: Case, outcome: Outcome) -> Iterator[str]:
    line = outcome.err
    if not line.startswith(SAYS) or not line.endswith("\n") or line.count("\n") != 1:
        yield "not one line on stderr"
    if not line.rstrip("\n").isprintable():
        yield "steers the terminal"
    if len(line) > LONGEST:
        yield f"a line of {len(line)} letters"
    if case.places and not any(place in line for place in case.places):
        yield "doesn't say where"
    if outcome.out:
        yield "wrote to stdout before it refused"
    if case.run_dir is not None and case.run_dir.exists():
        yield "left a run's folder"


@contextlib.contextmanager
def _written(
    number: int, redirect: Callable[[IO[str]], AbstractContextManager[Any]], errors: str
) -> Iterator[Callable[[], str]]:
    """A standard stream into a file, by its number too: Rust and C++ write there."""
    with tempfile.TemporaryFile() as file:
        before = os.dup(number)
        os.dup2(file.fileno(), number)
        try:
            with open(os.dup(file.fileno()), "w", encoding="utf-8", errors=errors) as stream:

                def so_far() -> str:
                    stream.flush()
                    size = os.fstat(file.fileno()).st_size
                    return os.pread(file.fileno(), size, 0).decode(errors="replace")

                with redirect(stream):
                    yield so_far
        finally:
            os.dup2(before, number)
            os.close(before)


def _give_up() -> NoReturn:
    """For a case that waits for ever, for whoever writes to a pipe."""
    raise Stuck(f"no end after {LIMIT:.0f} s")
