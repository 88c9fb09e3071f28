"""Two recipes by paired seeds: the tests' numbers, and each verdict where it must come."""

import json
import math
from pathlib import Path

import pytest
from scipy import stats

from reference.cli.main import main
from reference.seeds.equivalence import pair, verdict_of
from reference.seeds.folder import read_seeds
from tests.helpers.refusal import refusal, says
from tests.helpers.seed_folders import recipe, write_seed, write_seeds

# Accuracies of a recipe by seed, and what another one adds to each.
BASE = {42: 0.90, 43: 0.88, 44: 0.91, 45: 0.79, 46: 0.92, 47: 0.90}
NEAR = {42: 0.001, 43: -0.002, 44: 0.003, 45: 0.0, 46: -0.001, 47: 0.002}
FAR = {42: 0.19, 43: 0.21, 44: 0.20, 45: 0.18, 46: 0.22, 47: 0.20}
WIDE = {42: 0.05, 43: -0.04, 44: 0.03, 45: 0.0, 46: -0.05, 47: 0.02}


def added(more: dict[int, float], sign: int = 1) -> dict[int, float]:
    return {seed: value + sign * more[seed] for seed, value in BASE.items()}


@pytest.fixture
def base(tmp_path: Path) -> Path:
    return write_seeds(tmp_path / "base", BASE)


def test_the_numbers_are_those_of_two_one_sided_tests(base: Path, tmp_path: Path) -> None:
    other = write_seeds(tmp_path / "near", added(NEAR), num_warmup_steps=1)
    accuracy, f1 = pair(read_seeds(other), read_seeds(base), 0.005)
    assert (accuracy.score, f1.score) == ("accuracy", "f1")
    assert accuracy.mean == pytest.approx(0.0005)
    # By hand: the mean, 0.0005, and the variance of the six, 17.5e-6 / 5.
    error = math.sqrt(17.5e-6 / 5 / 6)
    above, below = (0.0005 + 0.005) / error, (0.0005 - 0.005) / error
    assert accuracy.p_above == pytest.approx(stats.t.sf(above, 5), rel=1e-6)
    assert accuracy.p_below == pytest.approx(stats.t.cdf(below, 5), rel=1e-6)
    # Student's t for 5 degrees of freedom at 90 % is 2.015048 in any table.
    half = 2.015048 * error
    assert accuracy.interval == pytest.approx((0.0005 - half, 0.0005 + half), abs=1e-8)
    assert f1.mean == pytest.approx(accuracy.mean / 2)


@pytest.mark.parametrize(
    ("more", "sign", "verdict"),
    [
        (NEAR, 1, "equivalent"),
        (FAR, 1, "not equivalent"),
        (FAR, -1, "not equivalent"),
        (WIDE, 1, "not shown"),
    ],
)
def test_each_verdict(
    more: dict[int, float], sign: int, verdict: str, base: Path, tmp_path: Path
) -> None:
    other = write_seeds(tmp_path / "other", added(more, sign))
    for a, b in ((base, other), (other, base)):
        pairs = pair(read_seeds(a), read_seeds(b))
        assert verdict_of(pairs) == verdict
        # Both tests say so exactly where the interval lies within the margins.
        for each in pairs:
            inside = -each.margin < each.interval[0] and each.interval[1] < each.margin
            assert inside == (max(each.p_above, each.p_below) < 0.05)


def test_no_significant_difference_is_not_yet_equivalence(base: Path, tmp_path: Path) -> None:
    other = write_seeds(tmp_path / "other", added(WIDE))
    a, b = read_seeds(base), read_seeds(other)
    assert stats.ttest_rel(a.values("accuracy"), b.values("accuracy")).pvalue > 0.5
    assert verdict_of(pair(a, b)) == "not shown"
    assert verdict_of(pair(a, b, margin=0.1)) == "equivalent"


def test_a_score_that_is_worse_by_the_same_everywhere(base: Path, tmp_path: Path) -> None:
    """Nothing spreads, and a t-test would divide by zero."""
    for by, verdict in ((0.0, "equivalent"), (0.004, "equivalent"), (-0.02, "not equivalent")):
        other = write_seeds(tmp_path / f"{by}", added(dict.fromkeys(BASE, by)))
        assert verdict_of(pair(read_seeds(base), read_seeds(other))) == verdict


def test_one_score_that_differs_is_enough(base: Path, tmp_path: Path) -> None:
    other = write_seeds(tmp_path / "other", added(NEAR))
    for seed, accuracy in added(NEAR).items():
        scores = {"accuracy": accuracy, "f1": accuracy / 2 + FAR[seed]}
        write_seed(other, recipe(seed=seed), scores)
    pairs = pair(read_seeds(base), read_seeds(other))
    assert [each.verdict for each in pairs] == ["equivalent", "not equivalent"]
    assert verdict_of(pairs) == "not equivalent"


def test_the_command_says_verdict_numbers_and_what_differs(
    base: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fewer = {seed: value for seed, value in added(NEAR).items() if seed < 47}
    other = write_seeds(tmp_path / "near", fewer, num_warmup_steps=1)
    assert main(["seeds", str(base), str(other)]) == 0
    out = capsys.readouterr().out
    says(out, "equivalent: each mean difference is shown to lie within 0.01 (5 paired seeds")
    says(out, "p (> -0.01)", "p (< 0.01)", "accuracy by seed: 42 -0.0010, 43 +0.0020, ")
    says(out, "recipe.num_warmup_steps: 0 in A, 1 in B", "only A has them: seeds 47")
    assert main(["seeds", str(base), str(other), "--margin", "0.0001"]) == 1
    assert capsys.readouterr().out.startswith("not shown: ")
    worse = write_seeds(tmp_path / "far", added(FAR, -1), learning_rate=5e-3)
    assert main(["seeds", str(base), str(worse), "--json"]) == 1
    said = json.loads(capsys.readouterr().out)
    assert (said["verdict"], said["margin"], said["alpha"]) == ("not equivalent", 0.01, 0.05)
    assert said["seeds"] == [*BASE]
    assert {"field": "recipe.learning_rate", "a": 5e-4, "b": 5e-3} in said["differ"]
    assert said["scores"]["accuracy"]["differences"] == pytest.approx([*FAR.values()])


def test_what_cannot_be_paired_is_refused(base: Path, tmp_path: Path) -> None:
    a = read_seeds(base)
    elsewhere = write_seeds(tmp_path / "others", {1: 0.9, 2: 0.8, 47: 0.7})
    says(refusal(lambda: pair(a, read_seeds(elsewhere))), "1 seeds are in both")
    task = write_seeds(tmp_path / "task", BASE)
    for seed in BASE:
        write_seed(task, recipe(seed=seed), {"accuracy": 0.5})
    says(refusal(lambda: pair(a, read_seeds(task))), "accuracy, f1 and accuracy", "one task")
    for margin in (0.0, -0.01, math.nan):
        says(refusal(lambda margin=margin: pair(a, a, margin)), "--margin", "above 0")
