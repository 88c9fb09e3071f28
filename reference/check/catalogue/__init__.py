"""The findings, by what of a training they look at; each file ends with its `FINDINGS`.

To add one: an entry in such a tuple, with the function that finds it, and one test in
`tests/check/faults.py` that plants its fault.
"""
