"""What the scripts beside this file have in common: they say what they trained."""

import hashlib


def digest(*models):
    """SHA-256 of all weights, in hex, the first 16 digits."""
    total = hashlib.sha256()
    for model in models:
        for tensor in model.state_dict().values():
            total.update(tensor.detach().float().contiguous().numpy().tobytes())
    return total.hexdigest()[:16]
