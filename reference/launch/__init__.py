"""Several processes, on one machine or on several, started by a configuration.

    python -m reference launch --list
    python -m reference launch cpu-2 train accelerated

Accelerate's own launcher starts one process on a CPU whatever number is asked for (1.15). This one
starts as many as the configuration says, here or on two machines, and says which one failed.

In the order to read them in:

- `configuration.py`: the files that `accelerate config` writes, and those that come with this;
- `fsdp_config.py`: what of FSDP they may ask for;
- `launcher.py`: starts the processes, and watches them;
- `rank.py`: one of them.
"""
