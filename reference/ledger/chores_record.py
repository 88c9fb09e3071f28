"""What a loop does beside the links of a step: the field `chores`, from which `check` learns.

What is as in any plain loop is left out, so `{}` is an ordinary step's:

- `unzeroed`: into how many of the optimizer's parameters' gradients a backward pass accumulated
  while they were still those of its own last step, not zero; a word where that couldn't be seen;
- `state`: in an optimizer's first step, for how many `parameters` it keeps something by then, how
  many `steps` that counts (a resumed one's does), and how many of a known model's parameters it has
  that have no gradient (`idle`);
- `clips`: the calls that clip by a norm: `bound`, the `norm` that the call found, after how many
  `backward_passes` of the step it came, and `tensors`, 0, where it was given none;
- `schedulers`: of each that was found for this optimizer its `class`, how often it was stepped
  (`count`) when the optimizer stepped, and when the `next` step begins; where it is first seen the
  `lengths` that it is made for, by their names there;
- `scales`: by what the loss of each forward pass was multiplied, as autograd came to it;
- `probabilities`: how many calls of a CrossEntropyLoss were given what a softmax made;
- `padded`: how much padding the ids of each forward pass end in, of a model that attends to it
  where it is given no mask, and was given none;
- `rewritten`: how often gradients were zeroed or changed between the step's backward passes;
- `drew_before`: whether torch's generator moved since the step before took its numbers, as it does
  where a loader begins.
"""

from reference.ledger.field_checks import either, flag, is_of, list_of, mapping, number, text, whole

_clip = mapping({"bound": number}, {"norm": number, "backward_passes": whole, "tensors": whole})
_scheduler = mapping(
    {"class": text, "count": whole}, {"next": whole, "lengths": mapping({}, others=number)}
)
check_chores = mapping(
    {},
    {
        "unzeroed": either(whole, text),
        "state": mapping({"parameters": whole}, {"steps": whole, "idle": whole}),
        "clips": list_of(_clip),
        "schedulers": list_of(_scheduler),
        "scales": list_of(either(number, is_of(type(None)))),
        "padded": list_of(whole),
        "rewritten": whole,
        "drew_before": flag,
        "probabilities": whole,
    },
)
