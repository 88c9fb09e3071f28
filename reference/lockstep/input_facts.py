"""What is told of an input that isn't the other's."""

from torch import Tensor

from reference.ledger.record import Record


def input_facts(tensor: Tensor) -> Record:
    """Type, shape, and what tells a mask without padding or labels that a loss leaves out."""
    facts: Record = {
        "type": str(tensor.dtype).removeprefix("torch."),
        "shape": list(tensor.shape),
    }
    if tensor.numel() and not tensor.is_complex():
        plain = tensor.detach()
        if not plain.is_floating_point():
            facts["ones"] = bool((plain == 1).all())
            facts["ignored"] = int((plain == -100).sum())
            facts["zeros"] = int((plain == 0).sum())
            if plain.dim() == 2:
                facts["begins with 0"] = bool((plain[:, 0] == 0).any())
        else:
            facts["mean"] = float(plain.double().mean())
    return facts
