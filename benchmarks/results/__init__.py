"""What is left of a measurement: the stored run, the page, the plot.

In reading order:

    output_file.py           a file that is whole or not there
    stored_run.py            pytest-benchmark's JSON, read with care
    storing.py               how a session stores its run, and which run it compares with
    ratios_then_and_now.py   ratios of a stored run beside today's
    replayed_timer.py        times that were measured elsewhere, as pytest-benchmark's own
    parts_table.py           where each loop's time goes, as a table
    readme_section.py        a run's section in benchmarks/README.md
    plot.py                  its plot
"""
