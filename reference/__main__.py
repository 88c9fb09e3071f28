"""`python -m reference`, the same as `finetuning-reference`: see `cli/main.py`."""

import sys

from reference.process.search_path import leave_out_working_directory

leave_out_working_directory()

from reference.cli.main import main  # noqa: E402 (after the path is ours)

if __name__ == "__main__":
    sys.exit(main())
