"""Both runs of a verdict once more, to look inside the step at which they part.

    python -m reference diff --inside A B

Reading a ledger runs nothing that is in it: this room alone does, and only when it is asked to. Its
files:

- `command_of_ledger.py`: the command that a ledger's run was made with, as its header has it;
- `run_again.py`: runs both, sees that they are the same runs, and looks inside.
"""
