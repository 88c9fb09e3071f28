"""The lesson's notebook runs from top to bottom, and shows what a run of it shows."""

import re
from pathlib import Path

import pytest

pytest.importorskip("nbclient", reason="the extra `test` brings nbclient and ipykernel")

from tests.helpers import notebook
from tests.helpers.pages import links

# What the notebook looks at, one step at a time, before it trains.
BEFORE_TRAINING = {
    "train_dataloader, eval_dataloader = get_dataloaders(recipe, data)",
    "model = load_model(recipe)",
    "outputs = model(**batch)",
    "num_epochs, num_training_steps = recipe.duration(len(train_dataloader))",
}
LOOPS = notebook.ROOT / "reference" / "lesson" / "loops"


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a kernel leaves behind goes with the test."""
    for name in ("TMPDIR", "IPYTHONDIR"):
        monkeypatch.setenv(name, str(tmp_path))


@pytest.mark.usefixtures("elsewhere")
def test_it_runs_from_top_to_bottom() -> None:
    """In a few steps; and the outputs that are kept in it are of these cells."""
    executed = notebook.execute(max_steps=4)
    said = notebook.shown(executed)
    assert said == notebook.shown(notebook.read())
    lines = "\n".join(text for texts in said for text in texts)
    assert "identical: 0 loops, 0 steps, every link of every step" in lines
    assert "0 processes, 0 steps, losses at most 0 of themselves apart" in lines
    assert "proven: no clip" in lines  # `shown` has a blank for a hyphen
    ended = notebook.progress(executed)
    loss = r" loss [\d.]+"
    last = rf"\d+ s: trainer 4/4{loss}, manual 4/4{loss}, accelerated 4/4{loss}"
    assert re.search(last, ended)
    assert len(re.findall(r"\s4/4\s\[", ended)) >= 4  # the loop's own bar, where it runs in here


@pytest.mark.slow
@pytest.mark.usefixtures("elsewhere")
def test_it_runs_whole() -> None:
    assert notebook.shown(notebook.execute()) == notebook.shown(notebook.read())


def test_no_line_of_a_loop_stands_in_its_cells() -> None:
    """They are shown by what the package has: a copy would come to differ from it."""
    own = {line.strip() for cell in notebook.read().cells for line in cell.source.splitlines()}
    for loop in ("manual", "accelerated"):
        text = (LOOPS / f"{loop}.py").read_text(encoding="utf-8").split("def train", 1)[1]
        lines = {line.strip() for line in text.splitlines()[1:]} - {"", ")"}
        assert len(lines) > 40
        assert lines & own == BEFORE_TRAINING


def test_what_is_kept_names_no_machine() -> None:
    text = notebook.NOTEBOOK.read_text(encoding="utf-8")
    assert not re.search(r"/(tmp|home|root|usr|work)/", text)
    assert '"execution": ' not in text
    assert '"name": "stderr"' not in text


def test_its_links_lead_somewhere() -> None:
    page = "\n\n".join(c.source for c in notebook.read().cells if c.cell_type == "markdown")
    targets = links(page)
    assert len(targets) >= 2
    assert [t for t in targets if not (notebook.NOTEBOOK.parent / t).exists()] == []
