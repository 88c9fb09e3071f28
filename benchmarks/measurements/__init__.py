"""The benchmarks that `python -m pytest benchmarks` runs: each file here holds some.

How to add one: benchmarks/README.md, "Add a benchmark". In reading order:

    data_pipeline.py    tokenizing and collating by themselves
    epoch.py            a whole epoch and an evaluation of each loop
    loops_in_turn.py    each loop's step, the bare step's and the pipeline's, in turn
    step_parts.py       where each loop's time goes, part by part
    ledger_cost.py      what keeping a ledger costs, and the diff of two long ones
    time_to_verdict.py  `compare` and `explain` as somebody waits for them
"""
