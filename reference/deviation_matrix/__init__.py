"""The matrix: every known deviation trained, and who sees it, this project or others' checks.

    python -m reference deviations --matrix

In reading order:

- `detectors.py`: the checks of others, each with its bound and its source; what they add up to
- `one_run.py`: one run, in a process of its own
- `scheduler.py`: all of them, a few at once
- `results.py`: which runs there are, and what came of them
- `page.py`: the page that is written, `docs/deviations.md`; `page_tables.py` reads it
  back, so that the rows of a few can be put in
"""
