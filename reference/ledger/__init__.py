"""The ledger: the file of what one run did, step by step and link by link.

This room needs no torch, and knows nothing of who writes a ledger or who compares two. Its files,
in reading order:

- `link_table.py`: the links of a step, a row each: what it holds, and what it must look like;
- `record.py`: the file, its kinds of lines, and how they are written;
- `reader.py`: how they are read;
- `ledger_path.py`: where a run's ledger is;
- `packed_lists.py`: how a list with an entry for each tensor is shortened in the file;
- `inside_record.py`: the calls within a step's forward passes, where somebody asked for them;
- `chores_record.py`: what a loop does beside the links of a step;
- `odd_modules.py`: modules in another mode than their parent's, written once;
- `setting_names.py`: how several settings of modules have one name;
- `losses.py`: the loss of a step;
- `marks.py`: what stands in a list for a parameter without a value;
- `field_checks.py`: the checks that a schema is made of;
- `schema.py`: whether a line is as its schema has it, and the error where it isn't;
- `steps.py`: a ledger read as a stream, a step at a time;
- `continuation.py`: a ledger that goes on where its run was saved;
- `combined_hash.py`: one hash for a list of hashes.
"""
