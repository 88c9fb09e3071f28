"""One recipe with many seeds: what its scores are, how far they spread, and whether a run fits in.

    python -m reference seeds --n 30

In the order to read them in:

- `training.py`: trains the seeds that aren't there yet, several at once
- `folder.py`: the folder that they stand in: who has it, and what it may hold
- `seed_scores.py`: the scores of many seeds, and where they come from, as one value and as JSON
- `statistics.py`: mean, spread and range of a score, and where one more would lie
- `equivalence.py`: two recipes by paired seeds: equivalent, not equivalent, or not shown
- `stored_ranges.py`: the scores that come with this package, in `ranges/`
- `judge.py`: whether one run's scores are those that its recipe has
- `text.py`: all of it as tables and lines
"""

from reference.callable_package import call_as

call_as(__name__, "reference.seeds.training", "seeds")
