"""The data room: sources and folder (raw text in), pipeline (tokens and batches out), hub.

Look at one batch: `python -m reference data`
"""
