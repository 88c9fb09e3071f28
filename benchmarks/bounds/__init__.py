"""The bounds of `bounds.toml`, each with its reason, and what is held to them.

In reading order:

    read.py             the bounds as values, read with care
    judge.py            ratios and counts against their bounds, in lines to read
    benchmark_rules.py  what every benchmark must leave, and the bound of its own ratio
"""
