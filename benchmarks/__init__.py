"""What each loop costs, measured in pairs of steps that are neighbours in time.

Which command does what (all but pytest's are files here, run as `python -m benchmarks.NAME`):

    python -m pytest benchmarks   the benchmarks in `measurements/`, with pytest-benchmark
    gate        did a loop become slower? two to three minutes
    pair        one loop beside the bare step, settled to a few parts in a thousand
    parts       what each loop adds, part by part
    report      writes a run's results into benchmarks/README.md
    upgrade     is a loop slower after an upgrade, and still the same run?
    apart       how far apart a GPU's runs are without deterministic algorithms
    planted     does the gate see a slowdown? (`planted_slowdowns.py` plants them)

The rooms, from the ground up; each imports only rooms above it in this list:

    timing/        steps taken in turn, and the ratios of their times
    bounds/        what is held, and why: bounds.toml
    counting/      what doesn't depend on the clock
    results/       what is left of a measurement: stored runs, the page, the plot
    upgrading/     two environments side by side
    measurements/  the benchmarks themselves

`conftest.py` has what holds for every benchmark. `README.md` says how to read the results.
"""
