"""Checkpoints of a run that goes on later: what a loop needs to be the run that never stopped.

    python -m reference train manual --run-dir mine --checkpoint-every 100
    python -m reference train manual --run-dir mine --checkpoint-every 100 --resume

`lesson/checkpoints.py` is about another kind: the pretrained model that a run begins with. In
reading order:

- `checkpoints.py`: what the loops say, `restore` and `save`, and which parts a state has;
- `keeping.py`: how often, where, and from what; set around a loop by whoever runs it;
- `optimizer_state.py`, `generators.py`: such parts as tensors and JSON;
- `order.py`: the order of the rows, gone on with in the middle of an epoch;
- `manifest.py`: sizes and hashes of a checkpoint's files, and whether they hold;
- `checkpoint_folder.py`: checkpoints written whole or not at all, the newest whole one found.

Nothing here reads or writes pickle: safetensors and JSON only.
"""
