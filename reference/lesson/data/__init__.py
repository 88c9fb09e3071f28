"""From a source's rows to the batches that all three loops train on.

    python -m reference data

In the order to read them in:

- `pipeline.py`: rows to tokens, tokens to batches;
- `shares.py`: those batches, shared out to several processes;
- `sources.py`: the splits of one source: embedded, a folder, or the hub;
- `rows.py`: what a row may hold;
- `folder.py`: which files of a folder are a task's;
- `readers.py`: one split out of one kind of file;
- `own_table.py`: a table of one's own, with its columns, labels and splits;
- `own_files.py`: which files are its splits;
- `own_labels.py`: what stands in its rows;
- `saved.py`: the splits of a saved dataset;
- `hub.py`: whether the hub can be reached;
- `fetched_rows.py`: which rows a batch was made of, for messages.
"""
