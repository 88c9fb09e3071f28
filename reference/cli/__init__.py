"""The command line: `python -m reference --help`, or `finetuning-reference --help`.

To be read in this order:

- `main.py`: one command from its words to its exit code
- `program.py`: what stands before a command, shell completion, and what commands share
- `training_commands.py`: the commands that start a training, and what each of them calls
- `launching.py`: what `launch` makes of its words
- `lockstep_command.py`, `prediction_command.py`, `seeds_command.py`, `plot_command.py`: one each
- `inspection_commands.py`: those that look at ledgers, and at what there is
- `recipe_options.py`: an option for each field of the recipe, and the recipe that they come to
- `checkpoint_options.py`: the options that keep checkpoints, and resume from one
- `usage_errors.py`: what is wrong with a command's words, in one line
- `help_page.py`: how `--help` looks
- `inspect.py`: the commands `data` and `env`
"""
