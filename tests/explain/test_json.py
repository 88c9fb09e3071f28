"""`explain --json`: one object with the documented fields, and the text is made of the same."""

import json
from pathlib import Path
from typing import Any

import pytest

from reference.cli.main import main
from reference.deviations import Chosen
from reference.diff.divergence import Divergence
from reference.diff.unequal import Unequal
from reference.diff.verdict import Reason, Verdict
from reference.explain.explanation import Explanation, OwnLength
from reference.explain.explanation_text import json_line, words
from reference.explain.outcome import Outcome
from reference.explain.session import print_explanation
from tests.conftest import ROOT
from tests.helpers.planted import planted

CLIP, EPS = planted("no-clip"), planted("eps")
FACTOR = Unequal("clip", "factor", 0.5, float("inf"))
MISSING: dict[str, Any] = {"reason": Reason.MISSING_LINKS}


def documented(name: str) -> bool:
    page = (ROOT / "docs" / "diff-and-explain.md").read_text(encoding="utf-8")
    return f"`{name}`" in page


def names_in(value: Any) -> set[str]:
    """Every name of a field, however deep."""
    if isinstance(value, dict):
        return {*value}.union(*map(names_in, value.values()))
    return set().union(*map(names_in, value)) if isinstance(value, list) else set()


def parted(*chosen: Chosen, decisive: bool = True) -> Outcome:
    verdict = Verdict("diverged", 0, 1, "clip", suspects=("clip",), unequal=(FACTOR,))
    divergence = Divergence(1, "clip", [FACTOR], {}, {})
    return Outcome(chosen, verdict, 1, 5, divergence, decisive=decisive)


def equal(*chosen: Chosen, verdict: str = "identical", **fields: Any) -> Outcome:
    return Outcome(chosen, Verdict(verdict, 5, **fields), 5, 5, None)


EXPLANATIONS: dict[str, tuple[Explanation, int, list[str]]] = {
    "identical": (Explanation(equal(), (), 1, 5), 0, []),
    "proven": (
        Explanation(equal(CLIP, EPS), (parted(), parted(CLIP)), 3, 7),
        0,
        ["no-clip", "eps"],
    ),
    "proven as far as it goes": (
        Explanation(equal(CLIP, verdict="incomparable", **MISSING), (parted(),), 2, 6),
        *(2, ["no-clip"]),
    ),
    "not explained in full": (
        Explanation(parted(CLIP), (parted(),), 9, 9, tried=7),
        1,
        ["no-clip"],
    ),
    "not explained": (
        Explanation(parted(), (), 9, 9, tried=7, own_length=OwnLength(5, told=True)),
        *(1, []),
    ),
}


@pytest.mark.parametrize("verdict", EXPLANATIONS)
def test_each_verdict_has_its_fields_and_its_exit_code(
    verdict: str, capsys: pytest.CaptureFixture[str]
) -> None:
    explanation, code, deviations = EXPLANATIONS[verdict]
    assert print_explanation(Path("l"), explanation, as_json=True) == code
    said = json.loads(capsys.readouterr().out)
    assert (said["schema"], said["ledger"], said["verdict"]) == (1, "l", verdict)
    assert [each["name"] for each in said["deviations"]] == deviations
    assert (said["steps"], said["replays"]) == (5, explanation.replays)
    assert said["replayed_steps"] == explanation.steps
    assert said["provable"] is True
    assert said["every_link"] == (verdict in ("identical", "proven"))
    assert said["equal_steps"] == (0 if verdict.startswith("not") else 5)
    assert (said["reason"] is not None) == (verdict == "proven as far as it goes")
    assert (said["next"] is not None) == verdict.startswith("not")
    assert [one for one in names_in(said) if not documented(one)] == []
    assert print_explanation(Path("l"), explanation, as_json=False) == code
    assert capsys.readouterr().out.splitlines() == words(explanation)


def test_each_divergence_has_what_takes_it_away() -> None:
    explanation, _, _ = EXPLANATIONS["not explained in full"]
    said = json.loads(json_line("l", explanation))
    first, last = said["divergences"]
    assert (first["step"], first["link"]) == (1, "clip")
    assert first["unequal"][0]["right"] == "inf"  # JSON has no such number
    assert first["unequal"][0]["field"] == "factor"
    assert [each["text"] for each in first["deviations"]] == ["no-clip"]
    assert first["why"] is None
    assert last["deviations"] == []
    assert last["why"] == "none of the known deviations gives this (7 tried here)"
    (twin,) = said["deviations"][0]["same_run"]
    assert twin["name"] == "clip-after-step"
    assert "transformers#23935" in said["deviations"][0]["seen_in"]


def test_a_value_stands_beside_its_text() -> None:
    explanation, _, _ = EXPLANATIONS["proven"]
    clip, eps = json.loads(json_line("l", explanation))["deviations"]
    assert (clip["value"], clip["text"]) == (None, "no-clip")
    assert (eps["value"], eps["text"]) == (1e-6, "eps 1e-06")


@pytest.mark.parametrize("verdict", EXPLANATIONS)
def test_the_text_is_made_of_the_same_values(verdict: str) -> None:
    explanation, _, _ = EXPLANATIONS[verdict]
    said, text = json.loads(json_line("l", explanation)), words(explanation)
    assert said["sentence"] in text
    assert [note for note in said["notes"] if note not in text] == []
    whole = "\n".join(text)
    for part in said["divergences"]:
        assert f"step {part['step']}, link {part['link']}: {part['detail']}" in whole
        assert all(f"{d['text']}: {d['summary']}" in whole for d in part["deviations"])
    assert said["next"] is None or text[-1] == f"next: {said['next']}"
    length = said["own_length"]
    assert length in (None, {"steps": 5, "told": True})
    assert ("--max-steps 5" in text[0]) == (length is not None)


def test_where_nothing_can_be_proven_it_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    explanation = Explanation(parted(decisive=False), (), 1, 1)
    assert print_explanation(Path("l"), explanation, as_json=True) == 2
    assert json.loads(capsys.readouterr().out)["provable"] is False


def test_the_command_prints_one_object_or_an_error(
    small_glue: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--data", str(small_glue), "--device", "cpu"]
    run = str(tmp_path / "run")
    deviating = ["--max-steps", "2", "--adam-epsilon", "1e-6"]
    assert main(["train", "manual", *options, *deviating, "--run-dir", run]) == 0
    capsys.readouterr()
    assert main(["explain", run, *options, "--json"]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    said = json.loads(line)
    assert (said["verdict"], said["own_length"]) == ("proven", {"steps": 2, "told": True})
    assert said["ledger"] == str(Path(run) / "ledger.jsonl")
    assert said["deviations"][0]["text"] == "eps 1e-06"
    # Of other data than the recipe's: an error is no object.
    assert main(["explain", run, "--json"]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    (error,) = (line for line in captured.err.splitlines() if "error: " in line)
    assert "field data: the ledger is of" in error
