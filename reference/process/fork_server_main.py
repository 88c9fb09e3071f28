"""What `fork_server.ForkServer` starts: python -m reference.process.fork_server_main."""

import sys

from reference.process.search_path import leave_out_working_directory

leave_out_working_directory()

from reference.process.fork_server import main  # noqa: E402 (after the path is ours)

if __name__ == "__main__":
    main(sys.argv[1:])
