"""The main job: three loops by one recipe, and one verdict.

In the order to read them in:

- `three_loops.py`: the three runs, their ledgers compared, the verdict;
- `accumulation_judge.py`: which loops accumulate gradients rightly, where they differ in it;
- `several_processes.py`: the two that train on several processes, compared there.
"""

from reference.callable_package import call_as

call_as(__name__, "reference.compare.three_loops", "compare")
