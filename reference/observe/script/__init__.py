"""The ledger of a training that isn't ours: any script's, or a notebook's, kept from outside.

    python -m reference observe train.py --learning_rate 3e-5

In a notebook's cell, or anywhere in a program of one's own:

    from reference.observe.script import observing

    with observing("runs/mine"):
        train()

The folder gets `program.json` and `ledger.jsonl`, and, where a launcher runs several processes,
`ledger-1.jsonl` for rank 1 and so on. The files, in reading order:

- `program.py`: a script or a module, found and run as Python does; `run_script.py`: the command;
- `launcher.py`: which process of a launch this is; `shared_folder.py`: the folder of all of them;
- `closing_words.py`: what it says when the program has ended;
- `observation.py`: the observer's life in that process, and the same within a `with`;
- `with_block.py`: `observing` as its users have it;
- `evaluate_scores.py`: the scores that the library `evaluate` computes;
- `import_hook.py`: begins when the program imports torch, and not before;
- `tolerant_writer.py`: a full disk ends the ledger, not the training.
"""

from reference.observe.script.with_block import observing

__all__ = ["observing"]
