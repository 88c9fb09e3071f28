"""Six runs of 40 steps of a two-layer BERT, as scripts: one text, and five small edits of it.

They are the runs that TrainCheck was measured on: a clean one with another seed, and five bugs.
"""

from pathlib import Path

from tests.helpers.observing import SCRIPTS

REFERENCE = SCRIPTS / "forty_steps.py"  # the embedded recipe's run, step by step
# Name -> what stands in the reference, and what somebody wrote in its place.
EDITS = {
    "other_seed": ("SEED = 42\n", "SEED = 43\n"),
    "no_clip": ("    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)\n", ""),
    "decay": ('"params": decayed, "weight_decay": 0.0', '"params": decayed, "weight_decay": 0.01'),
    "eval_mode": ("model.train()\n", "model.eval()\n"),
    "never_zeroed": ("    optimizer.zero_grad()\n", ""),
    "schedule_never_stepped": ("    lr_scheduler.step()\n", ""),
}


def write_six(folder: Path) -> dict[str, Path]:
    """The six scripts in `folder`, by name."""
    text = REFERENCE.read_text()
    scripts = {}
    for name, (old, new) in EDITS.items():
        assert text.count(old) == 1, name
        scripts[name] = folder / f"{name}.py"
        scripts[name].write_text(text.replace(old, new))
    return scripts
