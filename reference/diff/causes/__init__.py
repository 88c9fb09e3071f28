"""The likely cause: the sentence that stands under a verdict, and what to do about it.

Each file has the causes of some links, the likeliest first; `find.py` asks them in turn.

- `likely_cause.py`: what a cause is: words with a mark for each run, and advice;
- `case.py`: all that is known of a divergence;
- `batches.py`, `labels.py`: what goes in; `epochs.py`: what of it comes again;
- `modes.py`, `weights.py`, `outputs.py`: mode, weights and updates, outputs and random numbers;
- `gradients.py`, `clips.py`: gradients, as they come and as an optimizer gets them;
- `optimizers.py`, `rates.py`: what an optimizer is told;
- `evaluations.py`: evaluations; `ends.py`: what differs after the last step;
- `other_models.py`: models that don't fit;
- `find.py`: the causes of one divergence.
"""
