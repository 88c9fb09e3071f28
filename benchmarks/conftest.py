"""The same settings for every benchmark: one thread, no network."""

import os

os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
