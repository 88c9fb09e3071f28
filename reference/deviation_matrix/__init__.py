"""The matrix: every known deviation trained, and who sees it, we or the checks of others.

    python -m reference deviations --matrix

`task` is one run in a process of its own, `jobs` runs them, `results` says what came of them, and
`page` writes it down. The checks are in `reference/deviation_matrix/detectors.py`.
"""
