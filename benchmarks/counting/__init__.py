"""What doesn't depend on the clock, counted: the same in every run of one build.

In reading order:

    step_counts.py       operators, bytes, reads and kernel launches of one step; tokens of batches
    counts_of_bounds.py  the counts that bounds are about
"""
