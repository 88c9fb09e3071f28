"""How a command of the benchmarks ends: with its exit code, or with one line of what stopped it.

python -m benchmarks.gate
"""

import sys
from collections.abc import Callable

from reference.errors import RunError
from reference.stopping import Stopped, signals_raise


def ended(command: Callable[[], int]) -> int:
    """The exit code; of an error, of Ctrl-C (130) and of a signal after one line on stderr."""
    try:
        with signals_raise():
            return command()
    except RunError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    except Stopped as stopped:
        print(f"error: {stopped}", file=sys.stderr)
        return stopped.exit_code
    except KeyboardInterrupt:
        print("error: stopped by Ctrl-C", file=sys.stderr)
        return 130
