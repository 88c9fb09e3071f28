"""One run of the lesson (Hugging Face's course, chapter 3, "A full training"), and several at once.

In the order to read them in:

- `one_run.py`: a recipe, a loop, and a folder with all that is known of the run afterwards;
- `inputs.py`: what can be refused before the slow imports;
- `environment_variables.py`: variables that would change a run behind the recipe;
- `prepare.py`: device, threads and determinism of this process;
- `processes.py`: several processes of one run, begun together and by one recipe;
- `meeting.py`: the place, the address and the network of each, whoever launched them;
- `silence.py`: they watch each other, so that one that was stopped ends the run;
- `accelerate_launch.py`: whether `accelerate launch` started fewer than it was asked for;
- `table.py`: the table of runs' results, and the `Metrics` of one;
- `header.py`: what identifies a run, the first line of its ledger;
- `saving.py`: what is asked for of a run's checkpoints;
- `resumption.py`: a run that keeps them, or goes on from one, in the same folder and ledger;
- `worker_processes.py`: runs in processes of their own, a few at once.
"""

from reference.callable_package import call_as

call_as(__name__, "reference.run.one_run", "run")
