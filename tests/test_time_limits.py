"""No test goes by the clock: no limit below ten minutes, and waiting that says what it awaited."""

import ast
from collections.abc import Iterator

import pytest

from tests.conftest import ROOT
from tests.helpers.waiting import LIMIT, wait_until

# Methods whose first argument is a limit in seconds, of events, threads, futures and processes.
WAITS = ("wait", "join", "result", "communicate")
PAUSE = 0.1  # seconds; less is no limit, but the pause between two looks


def short_limits(source: str) -> Iterator[str]:
    """Each call in a test's source that gives up after less than ten minutes."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call):
            continue
        limits = [k.value for k in node.keywords if k.arg in ("timeout", "deadline")]
        if isinstance(node.func, ast.Attribute) and node.func.attr in WAITS:
            limits += node.args[:1]
        for limit in limits:
            seconds = limit.value if isinstance(limit, ast.Constant) else None
            if isinstance(seconds, int | float) and PAUSE < seconds < LIMIT:
                yield f"line {node.lineno}: {ast.unparse(node)}"


def test_no_limit_is_below_ten_minutes() -> None:
    files = [*(ROOT / "tests").rglob("*.py"), *(ROOT / "benchmarks").rglob("test_*.py")]
    assert len(files) > 100
    short = [
        f"{path.relative_to(ROOT)}, {limit}"
        for path in files
        for limit in short_limits(path.read_text(encoding="utf-8"))
    ]
    assert not short, "\n".join(short)


@pytest.mark.parametrize(
    "call",
    [
        "subprocess.run(command, timeout=120)",
        "event.wait(10)",
        "thread.join(timeout=60.0)",
        "queue.get(timeout=5)",
        "settings(deadline=200)",
    ],
)
def test_a_short_limit_is_seen(call: str) -> None:
    assert list(short_limits(call)) == [f"line 1: {call}"]


@pytest.mark.parametrize(
    "call", ["run(command, timeout=LIMIT)", "event.wait()", "x.join(names)", "pause.wait(0.02)"]
)
def test_no_limit_and_the_common_one_pass(call: str) -> None:
    assert not list(short_limits(call))


def test_waiting_ends_when_the_condition_holds() -> None:
    values = iter([0, "", 7])
    assert wait_until(lambda: next(values), "a number") == 7


def test_waiting_in_vain_says_for_what() -> None:
    with pytest.raises(pytest.fail.Exception, match="waited 0 s in vain for a file"):
        wait_until(lambda: False, "a file", limit=0)
