"""What torch calls while a training goes on. The files, in the order of a step:

- `forward_passes.py`: a model is called; what it takes and gives goes into the open step;
- `outermost_call.py`: the call that the calls of its parts belong to;
- `module_calls.py`: which calls of modules are such passes;
- `training_thread.py`: in which thread they may be made;
- `loss_modules.py`: a loss that is a module of its own follows one;
- `loss_functions.py`: so does one that is a function of torch's;
- `loaders.py`: a loader is begun, and with it a set of rows;
- `backward_passes.py`: which forward passes are backpropagated, and the gradients after it;
- `optimizer_steps.py`: what the optimizer is given, and the weights after its step;
- `clip_calls.py`: calls that clip gradients by their norm;
- `saved_weights.py`: weights that are written into files;
- `fail_safe.py`: what goes wrong in any of these ends the ledger, not the training.
"""
