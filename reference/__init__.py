"""One fine-tuning run, written three ways, and proof that the three are the same run.

Run it: `python -m reference compare`
"""

__version__ = "0.1.0"
