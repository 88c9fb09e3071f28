"""What is wrong with one training, by its ledger alone, with no second one beside it.

    python -m reference check RUN
    python -m reference check train.py --learning_rate 3e-5

The files, in reading order:

- `finding.py`: what a finding is: a name, a level, a claim, a remedy, and how it is found;
- `catalogue/`: all of them, by what they look at; `registry.py`: the same as one list;
- `training.py`, `step.py`, `parameter.py`: a training as one ledger tells it;
- `reader.py`: reads a ledger into that;
- `examination.py`: every finding asked of one run, or of all its ranks;
- `report_text.py`: what was found, in words and as JSON;
- `command.py`: the command; it observes a script first;
- `findings_page.py`: the table of docs/check.md.
"""
