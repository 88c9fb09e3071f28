"""The bits of weights, buffers and gradients. The files, in reading order:

- `parameters.py`: the parameters of every model that trains, in one order;
- `places.py`: where each stands in a ledger's lists;
- `module_parameters.py`: those of one module, and how they are named;
- `gradient_hooks.py`: who is called when their gradients are there;
- `last_step.py`: the models that the last step used, until the next one;
- `listed.py`: lists with an entry for each of them, and what was read of their gradients;
- `parameter_names.py`: their names, whatever the model is wrapped in;
- `buffers.py`: what a model keeps beside them;
- `seen_models.py`: every model that was called, and what it has at the end;
- `uncalled_models.py`: those that nobody calls, looked for among all that is alive;
- `owners.py`: the modules of parameters that an optimizer steps, and that no pass used;
- `output_memory.py`: where what a model gave lies, as long as it is there;
- `forms.py`, `plain_copies.py`: copies of weights in whatever a script keeps them;
- `held_tensors.py`: what a module has by now;
- `shards.py`: tensors of which each process holds a part; `first_parameter.py`: any one of a
  module's;
- `memory.py`: whether a tensor's memory is there;
- `hashing.py`: hashes and norms of tensors of any kind;
- `two_threads.py`: the same on two cores;
- `overlapped_gradients.py`: gradients that are read while the optimizer steps.
"""
