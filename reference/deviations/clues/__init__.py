"""Clues: what can be read off another run's ledger about why it parts from the recipe's run.

Clues leave out what can't be the cause, and suggest values; that a deviation is the cause is only
proven by training with it. Ledgers of strangers are read here: what is missing, or of another
type, is None, and rules nothing out.

In reading order: `clue.py` (a divergence, and how a value is read out of a record), `batches.py`,
`gradients.py`, `optimizer.py`, `rates.py`, `schedule.py` (what the rates say of the schedule),
`seeds.py`, `evaluations.py` (when a run evaluates),
`recipe_model.py` (the recipe's own model: its parameters' names).
"""
