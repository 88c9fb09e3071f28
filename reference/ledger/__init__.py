"""The ledger: what one run did, step by step and link by link, kept from outside.

Keep and compare three: `python -m reference compare`

`observe` keeps it through PyTorch's hooks, `record` is its file, `diff` finds the first unequal
link of two.
"""

# One part of a step each, in the order in which it can go wrong; `metrics` after an evaluation.
LINKS = (
    "batch",
    "rng",
    "mode",
    "weights",
    "forward",
    "gradient",
    "clip",
    "optimizer",
    "update",
    "schedule",
)
METRICS = "metrics"
