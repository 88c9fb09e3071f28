"""What `fork_server.ForkServer` starts, and what ends with it, while it still imports as well.

python -m reference.process.fork_server_main PARENT FILE-DESCRIPTOR MODULE...
"""

import sys

from reference.process.search_path import leave_out_working_directory

leave_out_working_directory()

from reference.process.fork_server import main  # noqa: E402 (after the path is ours)
from reference.process.signals import die_with  # noqa: E402

if __name__ == "__main__":
    die_with(int(sys.argv[1]))
    main(sys.argv[2:])
