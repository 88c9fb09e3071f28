"""What `import reference` gives: seven names, in any order, each loaded when it is first used."""

import copy
import inspect
import itertools
import pickle
import subprocess
import sys

import pytest

import reference
from reference.callable_package import CallablePackage, call_as
from tests.conftest import ROOT

PACKAGES = {
    "diff": "reference.diff.ledgers",
    "run": "reference.run.one_run",
    "compare": "reference.compare.three_loops",
    "explain": "reference.explain.command",
    "seeds": "reference.seeds.training",
}
# Three ways to come to a function whose name is a package's, and what each of them must see.
WAYS = {
    "from reference import {name}": "{name}({bad})",
    "import {module}": "{module}.{name}({bad})",
    "import reference": "reference.{name}({bad})",
}


def python(code: str, *options: str) -> str:
    result = subprocess.run(
        [sys.executable, *options, "-c", code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_it_loads_nothing_slow_before_it_is_used() -> None:
    code = (
        "import sys, reference; reference.__version__; dir(reference)\n"
        "from reference import Recipe, assert_same_run, compare, diff, explain, observing, run\n"
        "print(sorted({'torch', 'transformers', 'datasets', 'numpy'} & set(sys.modules)))"
    )
    assert python(code) == "[]\n"


def test_all_names_are_there() -> None:
    assert set(reference.__all__) <= set(dir(reference))
    for name in reference.__all__:
        assert callable(getattr(reference, name)), name
    with pytest.raises(AttributeError, match="no attribute 'nix'"):
        reference.nix  # noqa: B018


@pytest.mark.parametrize("order", [*itertools.permutations(WAYS)])
def test_function_and_package_in_any_order(order: tuple[str, ...]) -> None:
    """Called with a ledger that isn't there: the function itself says so."""
    lines = ["import sys", "from reference.errors import InputError"]
    for way in order:
        imports, call = (
            text.format(name="diff", module=PACKAGES["diff"], bad="'nix', 'nix'")
            for text in (way, WAYS[way])
        )
        lines += [imports, "try:", f"    {call}", "except InputError as error:", "    print(error)"]
    lines += ["import reference.diff.verdict", "print(reference.diff.verdict.Verdict.__name__)"]
    said = python("\n".join(lines)).splitlines()
    assert len(said) == 4
    assert all(line.startswith("nix: no such ledger") for line in said[:3])
    assert said[3] == "Verdict"


@pytest.mark.parametrize(("name", "module"), PACKAGES.items())
def test_a_package_looks_like_its_function(name: str, module: str) -> None:
    package = getattr(reference, name)
    assert isinstance(package, CallablePackage)
    assert package is sys.modules[f"reference.{name}"]
    function = getattr(sys.modules.get(module) or __import__(module, fromlist=[name]), name)
    assert inspect.unwrap(package) is function
    assert package.__qualname__ == name  # `notebook_launcher(run, ...)` asks for it
    assert inspect.signature(package) == inspect.signature(function)
    assert "Args:" in inspect.getdoc(function)
    assert "Returns:" in inspect.getdoc(function)
    assert package.__doc__, "the package says what it is"


def test_a_package_without_its_function_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    made = CallablePackage("made")
    monkeypatch.setitem(sys.modules, "made", made)
    call_as("made", "reference.diff.ledgers", "nix")
    with pytest.raises(AttributeError, match="nix"):
        made()


@pytest.mark.parametrize("name", ["compare", "diff", "explain", "run", "seeds"])
def test_a_function_goes_to_another_process_by_its_name(name: str) -> None:
    function = getattr(reference, name)
    assert pickle.loads(pickle.dumps(function)) is function
    assert copy.copy(function) is function
