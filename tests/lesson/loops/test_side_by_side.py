"""`manual.py` and `accelerated.py` differ in the lines that Accelerate changes, and no more."""

import ast
import copy
import difflib
from collections.abc import Iterator
from pathlib import Path

from tests.conftest import ROOT

LOOPS = ROOT / "reference" / "lesson" / "loops"
GOLDEN = Path(__file__).with_name("golden.diff")


def normalised(source: str) -> list[str]:
    """The statements, one a line, without comments, docstrings or layout."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(node, ast.Module | ast.FunctionDef) and body and _is_docstring(body[0]):
            body.pop(0)
    return ast.unparse(tree).splitlines()


def _is_docstring(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def difference(manual: str, accelerated: str) -> str:
    lines = difflib.unified_diff(normalised(manual), normalised(accelerated), n=0, lineterm="")
    return "\n".join(list(lines)[2:]) + "\n"


def shown(manual: str, accelerated: str) -> str:
    """The diff as the README has it: of the text itself, from the imports on."""
    texts = [text.split('"""\n', 1)[1].strip().splitlines() for text in (manual, accelerated)]
    lines = difflib.unified_diff(*texts, "manual.py", "accelerated.py", n=1, lineterm="")
    return "\n".join(line for line in lines if not line.startswith("@@"))


def sources() -> tuple[str, str]:
    return (LOOPS / "manual.py").read_text(), (LOOPS / "accelerated.py").read_text()


def bodies(tree: ast.Module) -> Iterator[list[ast.stmt]]:
    for node in ast.walk(tree):
        for name in ("body", "orelse"):
            body = getattr(node, name, None)
            if isinstance(body, list) and body and isinstance(body[0], ast.stmt):
                yield body


def mutants(source: str) -> Iterator[tuple[str, str]]:
    """The source with each statement in turn deleted, doubled, or swapped with the next."""
    tree = ast.parse(source)
    for b, body in enumerate(bodies(tree)):
        for i, statement in enumerate(body):
            if _is_docstring(statement):
                continue
            for change in ("deleted", "doubled", "swapped"):
                other = copy.deepcopy(tree)
                mutated = list(bodies(other))[b]
                if change == "deleted":
                    mutated[i : i + 1] = [ast.Pass()] if len(mutated) == 1 else []
                elif change == "doubled":
                    mutated.insert(i, copy.deepcopy(mutated[i]))
                elif i + 1 < len(mutated):
                    mutated[i], mutated[i + 1] = mutated[i + 1], mutated[i]
                else:
                    continue
                yield f"{change}: {ast.unparse(statement)}", ast.unparse(other)


def test_the_difference_is_the_golden_one() -> None:
    assert difference(*sources()) == GOLDEN.read_text()


def test_the_readme_shows_it() -> None:
    block = (ROOT / "README.md").read_text().split("```diff\n")[1].split("\n```")[0]
    assert block == shown(*sources())


# Beside the lines with Accelerate's name: what it takes over (devices, precision), and what several
# processes change (the weight of a share).
PARTS = ("ccelerat", "model(**batch)", "no_grad", "weight")


def test_only_what_accelerate_changes() -> None:
    added = [line[1:] for line in GOLDEN.read_text().splitlines() if line.startswith("+")]
    assert all(any(part in line for part in PARTS) for line in added)


def test_any_statement_deleted_doubled_or_swapped_is_seen() -> None:
    manual, accelerated = sources()
    golden = GOLDEN.read_text()
    count = 0
    for what, mutant in mutants(manual):
        assert difference(mutant, accelerated) != golden, what
        count += 1
    for what, mutant in mutants(accelerated):
        assert difference(manual, mutant) != golden, what
        count += 1
    assert count > 200  # both files were walked whole
