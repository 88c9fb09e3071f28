"""What one run or several looked like: curves, out of their ledgers.

    python -m reference plot runs/mine

- `curves.py` reads loss, gradient norm, learning rate and scores off a ledger
- `plot.py` draws them
- `seeds_plot.py` draws the scores of many seeds
"""
