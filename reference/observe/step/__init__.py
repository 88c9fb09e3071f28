"""What is recorded between two optimizer's steps. The files, in reading order:

- `open_step.py`: one step as it is being seen, and the line that it becomes;
- `forward_pass.py`: one forward pass in it, and whether autograd comes back to it;
- `content.py`: what one forward pass takes and gives, by its rows;
- `evaluation.py`: forward passes that are no part of a step, made one evaluation of;
- `passes_after_passes.py`: whether a pass of it goes on with another;
- `sets_of_rows.py`: where another set of rows begins in it;
- `loss_content.py`: a loss beside the model, and its targets;
- `plain_outputs.py`: texts and objects that a model gives; `written.py`: what one writes that gives
  nothing back;
- `evaluation_streams.py`: what all its passes take and give; `projections.py`: numbers that tell
  rows apart in any batches;
- `rows.py`: the rows of a batch, without their padding;
- `attended_padding.py`: padding to which a model attends, because it is given no mask;
- `describe.py`: what is written of batches, outputs and modes;
- `arguments.py`: what a module's `forward` is given, by name;
- `losses.py`: which number of a forward pass is the script's loss;
- `settings.py`: what modules are set to; `defaults.py`: what their classes take by themselves;
- `tensors_in.py`: the tensors in a call's arguments or outputs, by name;
- `inside.py`: the calls of all modules in a forward pass, where somebody asks for them;
- `optimizer_record.py`: what is written of an optimizer; `optimizer_ends.py`: what each keeps at
  the end, and what a run leaves beside models and optimizers;
- `chores.py`: what a loop does beside the links of a step, for `check`;
- `left_gradients.py`: gradients that were added to what a step had left;
- `schedulers.py`: how often learning rate schedulers were stepped.
"""
