"""Another loss in a training that makes more passes a step: what can't be held against A's."""

from pathlib import Path

from reference.lesson.recipe_sources import load_recipe
from tests.conftest import write_mrpc
from tests.lockstep.deviated import answer


def test_another_loss_beside_more_passes_is_never_proven(tmp_path: Path) -> None:
    """By its own loss each of B's passes weighs the same; but that loss isn't A's."""
    data = write_mrpc(tmp_path / "glue", 44, 20)
    base = load_recipe("embedded", {"data": str(data), "device": "cpu"})
    result = answer(base, "accumulation", "softmax-twice").result
    assert not result.is_proven
    assert "another gradient in the same one" in str(result)
    assert answer(base, "accumulation").result.is_proven
