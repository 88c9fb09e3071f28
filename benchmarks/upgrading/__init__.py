"""What `python -m benchmarks.upgrade` does in a second environment.

In reading order:

    environments.py      the second environment: as this one, with some packages in other versions
    time_one_process.py  what one process of one environment measures
    two_environments.py  the runs and the times of both, side by side
"""
