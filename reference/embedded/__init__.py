"""What works with no network: a synthetic corpus and a small BERT, both made from code.

python -m reference compare
"""

from reference.embedded.checkpoint import checkpoint_folder
from reference.embedded.corpus import (
    CORPUS_VERSION,
    EMBEDDED_TASKS,
    corpus_digest,
    make_split,
)

__all__ = ["CORPUS_VERSION", "EMBEDDED_TASKS", "checkpoint_folder", "corpus_digest", "make_split"]
