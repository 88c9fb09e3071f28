"""Times that can be compared on a machine that others use: steps taken in turn, and their ratios.

In reading order:

    clock.py            one step's time: wall, CPU, and the wall's without waits for a core
    turns.py            several trainings in one process that take their steps in turn
    timed_work.py       what takes turns: the bare step, the pipeline, plain batches, a loop
    recipes.py          the recipe that is timed, and the surroundings that a time needs
    quiet.py            turns without output and without garbage collection
    paired_ratio.py     the median ratio of pairs, and its bootstrap interval
    measured_steps.py   what rounds of turns gave, and its ratios
    rounds.py           rounds of turns, as many as the noise asks for; equal first, then timed
    progress.py         the cores a measurement needs, and how far it is
    checkpoints.py      the checkpoints that are timed, as pytest's parameters
    step_calls.py       which call of which library belongs to which part of a step
    parts_clock.py      a clock that keeps the parts of a step apart
    device_moments.py   moments by a GPU's own clock
    compute_peak.py     what the machine can do at best, and what a step asks of it
    peak_memory.py      the most memory that this process had
"""
