"""Two ledgers to one verdict: the first step, and in it the first link, at which they part.

    python -m reference diff A B

This room needs no torch, and knows no model and no recipe. Its files stand here in the order of the
way from the command to the sentence. For any one sentence four of them have to be opened: the first
two, the one that found the difference, and the one that words it.

The way:

- `ledgers.py`: `diff(a, b)`: both files read side by side, a step at a time; of runs of several
  processes `ranks.py` has each rank's read so, and makes one verdict of theirs;
  `resumed_run.py` finds where a resumed run begins in the whole one;
- `ranks_of_one_run.py`: `diff FOLDER`: the ranks of one run held against each other, as
  `ranks_side_by_side.py` reads them, by the rule that `replicas.py` has for two of them;
- `comparison.py`: the links of each step in turn, up to the first that is unequal;
- what finds a difference, each called by `comparison.py`:
  - `link_comparators.py`: one comparator for each link of `ledger/link_table.py`, with
    `batch_differences.py`, `tensor_differences.py`, `optimizer_differences.py` and
    `evaluation_differences.py` beside it;
  - `evaluation_comparison.py`: the evaluations between two steps; `evaluation_batches.py` compares
    what those of the same rows give in other batches;
  - `order_of_causes.py`: which link of a step is looked at first, and which is named;
  - `passes_in_order.py`: several passes in a step, of which the later follow from the first;
  - `learning_rates.py`: rates, for which the steps around have to be known;
  - `optimizers_in_order.py`, `joined_optimizers.py`, `alike_models.py`, `shared_passes.py`:
    optimizers, models and passes
    of which order or number alone is no difference;
  - `closure_passes.py`: LBFGS, whose later passes follow from what the optimizer was told;
  - `self_contradiction.py`: records that somebody edited (of a file, its seal tells that too);
  - `unmatched_models.py`: models that only one run has;
- `inside_calls.py`: the first unequal call of a module within a forward pass, as
  `inside_passes.py` reads it;
- `model_ends.py`: what each model is at the end; `optimizer_ends.py`: what each optimizer keeps;
  `saved_ends.py`: what was written into files of weights; `left_at_end.py`: what is left
  otherwise, to no effect;
- `causes/`: what a divergence most likely comes from, and what to do about it, with
  `argument_differences.py`, `setting_differences.py` and `weight_causes.py`, which find some;
- `judgement.py`: from the comparison, read to its end, to the verdict and the notes beside it;
- `verdict_text.py`: the verdict in words, with `note_text.py`, `inside_text.py`, `end_text.py`
  and `replica_text.py` for the notes, `curve_text.py` for the table, and `value_text.py` for fields
  and values.

The values that are handed along it:

- `sides.py`: what two runs are called;
- `unequal.py`: a pair of records, and an unequal field with its weight: hard, soft or note;
- `divergence.py`: the first unequal step and link; `divergence_curve.py` and
  `later_batches.py`: how the two go on; `earlier_steps.py`: what came before;
- `notes.py`, `inside_notes.py`, `replica_notes.py`: what must be known beside a verdict;
  `verdict.py`: the verdict and its reason; `evidence.py`: what that rests on.

What is done before anything can be compared:

- `header_differences.py`: device, versions and threads, which may be why bits differ;
- `parameter_matching.py`: which parameter of the one run is which of the other's;
- `successors.py`: a model whose training goes on in a copy of it, in one run alone;
- `one_numbering.py`: the second run's records with the first one's places and numbers;
- `evaluation_pairs.py`: which evaluation of the one run is which of the other's;
- `evaluation_sets.py`: the same for the sets of rows in one evaluation;
- `gaps.py`: what can't be compared, or is of one run alone;
- `without_effect.py`: what was unequal in equal steps.

And `tolerance.py`: the verdict where bits can't be equal, by two runs that measured how far apart.
"""

from reference.callable_package import call_as

# Imported here, so that a link without a comparator is an error wherever the room is entered.
from reference.diff import link_comparators as link_comparators

call_as(__name__, "reference.diff.ledgers", "diff")
