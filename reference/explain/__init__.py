"""Which known deviations turn the recipe's run into another one: found and proven by replay.

`python -m reference explain LEDGER`. In reading order:

- `command.py`: the command; reads and checks the ledger
- `session.py`: the command after that, with its progress
- `search.py`: the search through deviations, and sets of them
- `explanation.py`: what it came to
- `path.py`: what of a search's path is kept, and what was chance
- `first_batch.py`: whether a ledger can be of the recipe's data at all
- `replay.py`: one training with some deviations, against the ledger
- `follower.py`: compares a training with the ledger while it goes on
- `ranks_replay.py`: the same of a run of several processes, in as many
- `replay_rank.py`: one of these processes
- `outcome.py`: how far one replay was equal, and whether that proves anything
- `loop_halves.py`: the loop cut into training and evaluation, so that a training isn't run twice
- `report.py`: an explanation as values
- `remainder.py`: why what is left has no name, and what to do about it
- `explanation_text.py`: the report in words, and as JSON
"""

from reference.callable_package import call_as

call_as(__name__, "reference.explain.command", "explain")
