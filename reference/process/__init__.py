"""How a process starts, is stopped and ends; and the files that it leaves whole.

In the order to read them in:

- `search_path.py`: where modules are looked for, before any other is;
- `exit_codes.py`: a command's exit code, and the one line of what stopped it;
- `rank_errors.py`: one line for all processes of a torchrun;
- `signals.py`: SIGTERM, SIGHUP, and the end of the process that started this one;
- `run_folder.py`: a run's folder, which is nobody else's;
- `folder_lock.py`: one run at a time in a folder;
- `whole_files.py`: files that are whole or not there;
- `bounded_files.py`: small files of others, of which never more is read;
- `workers.py`: processes that are started here, watched, and ended with this one;
- `fork_server.py`: a process that imports once and forks such processes; `fork_server_main.py`
  is its command;
- `new_python.py`: a Python, also of another environment, that runs a part of this package;
- `alarm.py`: a limit on how long something may take;
- `ports.py`: a port for processes to meet at;
- `notebook_processes.py`: processes that are forked from a notebook's kernel: a time limit;
- `streams.py`: the standard streams, where libraries in other languages write;
- `cores.py`: how many cores there are to use;
- `versions.py`: the versions of what a run's bits depend on.
"""
