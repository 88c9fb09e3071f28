"""`python -m reference`: see `cli.py`."""

import sys

from reference.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
