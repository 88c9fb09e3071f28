"""`python -m reference`, the same as `finetuning-reference`: see `cli/main.py`."""

import sys

from reference.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
