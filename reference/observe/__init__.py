"""Keeping the ledger of any training from outside; knows no model and no recipe.

How a step gets from a hook of torch's to a line in the ledger, and the files in that order:

- `observer.py`: `Observer`, what others use; it sets the hooks, and takes them away;
- `recording.py`: what is being recorded; one object, which all hooks fill and which writes;
- `hooks/`: what torch calls: at each forward pass, backward pass and optimizer's step;
- `step/`: what is recorded of them: the open step, the open evaluation, and how batches, outputs,
  modes and optimizers are described;
- `tensors/`: the bits: parameters and buffers of all models, their hashes, by two threads;
- `generators.py`: the states of the random generators;
- `torch_internals.py`, `patched_functions.py`: what isn't documented of torch, and what is replaced
  in other libraries, with the releases in which that was seen.

`script/` runs a stranger's script under the observer.
"""
