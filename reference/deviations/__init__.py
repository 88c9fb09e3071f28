"""Known deviations: how hand-written loops differ from a recipe, each an edit of the manual loop.

An edit is made in memory, on the text of `lesson/loops/manual.py`; that file itself is never
changed. What only several processes can do is an edit of `accelerated.py`. So a deviation can be
read as a diff, several can be switched on at once, and `explain` proves one by training with it.

    python -m reference deviations            lists them all
    python -m reference deviations no-clip    shows what one changes in the loop

To add one, write one entry in the file of its theme, `catalogue/THEME.py`, and edit nothing else:

    Deviation(
        name="no-clip",
        row=1,                              # its kind: a new kind gets the next number
        link="clip",                        # where it first shows
        summary="Gradients aren't clipped.",
        shows_when="a gradient norm above the bound (1.0)",
        citation="transformers#23935",      # or NO_REPORT
        edits=(delete(CLIP_LINES),),        # anchored on pieces that stand in the loop once
        suggested_by=lambda clue: unclipped(clue.theirs),   # read off the other run's ledger
        applies_to=clips,                   # no recipe without a clip can show it
        hidden_in_recipe={"max_grad_norm": 0.0},
    )

What such an entry lacks, or where it contradicts itself, is an error when the catalogue is
imported. The tests then train it, where it shows and where it is hidden, and ask `explain` for its
name: `pytest tests/deviations -k NAME` and `pytest -m slow tests/explain -k NAME`. Where it needs
another value or recipe to show on the tests' 44 short pairs, or on the embedded corpus, the entry
says so with `in_tests` or `in_matrix`.

To be read in this order; all but the last two load without torch:

- `deviation.py`: the fields of an entry
- `catalogue/`: the entries, a file a theme
- `citations.py`: the sources that several entries name
- `conditions.py`: what a recipe has to be like so that one can show
- `anchors.py`: pieces of the loop that edits of several themes stand on
- `source_edits.py`: edits of a text, each anchored on a piece of it
- `edited_loop.py`: a loop with some deviations, as text, diff and function
- `listing.py`: the catalogue as the command line prints it
- `clues/`: what another run's ledger says of its cause
- `loop_parts/`: loaders, schedules and scores that edited loops import
- `other_adamws.py`: two other AdamWs that edited loops import
"""

from reference.deviations.catalogue import CATALOGUE, EVERY, OF_SEVERAL
from reference.deviations.clues.clue import Clue
from reference.deviations.deviation import Chosen, Deviation
from reference.deviations.edited_loop import (
    edited_source,
    expected_warnings,
    loop_diff,
    loop_source,
    loop_with,
    train_with,
)
from reference.deviations.source_edits import Conflict, Edit

__all__ = (
    "CATALOGUE",
    "EVERY",
    "OF_SEVERAL",
    "Chosen",
    "Clue",
    "Conflict",
    "Deviation",
    "Edit",
    "edited_source",
    "expected_warnings",
    "loop_diff",
    "loop_source",
    "loop_with",
    "train_with",
)
