"""SECURITY.md's promises that the code's text alone can break: nothing foreign is executed."""

import ast
from collections.abc import Iterator

import pytest

from tests.conftest import ROOT

# Who executes text, and whose text it is.
EXECUTES = {
    "reference/observe/script/program.py": "the user's own script",
    "reference/deviations/": "the manual loop with edits of the catalogue",
    "reference/explain/": "the manual loop in two halves",
}
UNPICKLES = {"pickle", "cPickle", "cloudpickle", "dill", "joblib", "shelve", "marshal"}


def breaches(source: str) -> Iterator[str]:
    """What could execute something that came from a file or from the network."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import | ast.ImportFrom):
            module = node.module if isinstance(node, ast.ImportFrom) else node.names[0].name
            if (module or "").split(".")[0] in UNPICKLES:
                yield f"import {module}"
        elif isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            if called in ("eval", "exec", "torch.load", "evaluate.load"):
                yield called
            for keyword in node.keywords:
                allowed = isinstance(keyword.value, ast.Constant) and keyword.value.value is False
                if keyword.arg in ("trust_remote_code", "allow_pickle") and not allowed:
                    yield f"{keyword.arg}={ast.unparse(keyword.value)}"


def test_nothing_foreign_is_executed() -> None:
    found = {}
    for path in (ROOT / "reference").rglob("*.py"):
        name = path.relative_to(ROOT).as_posix()
        executes = any(name.startswith(place) for place in EXECUTES)
        seen = breaches(path.read_text(encoding="utf-8"))
        found[name] = [b for b in seen if not (b == "exec" and executes)]
    assert len(found) > 80
    assert {name: seen for name, seen in found.items() if seen} == {}


@pytest.mark.parametrize(
    "planted",
    [
        "eval(text)",
        "exec(text)",
        "torch.load(path, weights_only=True)",
        "evaluate.load('glue')",
        "AutoModel.from_pretrained(name, trust_remote_code=True)",
        "np.load(path, allow_pickle=wanted)",
        "import pickle",
        "from joblib import load",
    ],
)
def test_a_breach_is_seen(planted: str) -> None:
    assert len(list(breaches(planted))) == 1
