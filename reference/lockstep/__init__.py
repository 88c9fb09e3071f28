"""Two trainings at once, link by link: every difference between them, and the proof.

    python -m reference lockstep A.py [ARGS] -- B.py [ARGS]

Wherever a link of B is unequal to A's it is noted, and A's is put in its place; what is still
unequal after that is another difference, and what is equal is proven to be so. The files, in
reading order:

- `both.py`: the function; `pair.py`: starts both, watches them, and gathers what they tell;
  `processes.py`: how their processes begin; `output.py`: what they print;
- `side.py`: one script in its process; `torch_hooks.py`: where its training is held;
- `leader.py`: A, which says what it does and waits where its tensors would change;
- `follower.py`: B, which compares, notes and puts in place: `put_weights.py`, `put_modes.py`,
  `put_batch.py`, `put_inputs.py`, `put_autocast.py`, `put_loss.py`, `put_gradients.py`,
  `put_optimizer.py`, `put_state.py`, `put_outputs.py`, `arguments_put.py`;
  `gradient_weights.py`: gradients that are the other's but for a number; `evaluation_pairs.py`:
  evaluations;
- `watcher.py`, `model_parts.py`, `parameter_pairs.py`, `losses.py`, `optimizer_state.py`,
  `generator_states.py`, `mode_readers.py`,
  `evaluations.py`, `other_models.py`, `input_facts.py`, `clip_text.py`:
  what is known of either;
- `links.py`: the links that are held;
- `wire.py`, `packing.py`, `sparse_parts.py`, `stream.py`: how it goes from one to the other;
- `notes.py`, `side_report.py`: what is told to the parent;
- `differences.py`, `batch_differences.py`, `pass_weights.py`: the notes of all steps made
  differences; `words.py`, `batch_text.py`, `rates.py`: these in words; `fixes.py`: the line that
  makes B like A;
  `result.py`: the list and the proof;
- `effects.py`: what each difference does by itself.
"""

from reference.callable_package import call_as

call_as(__name__, "reference.lockstep.both", "lockstep")
