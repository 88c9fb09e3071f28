"""A WordPiece vocabulary from sorted counts, under BERT's uncased conventions.

    python -m reference data

`tokenizers`' own WordPieceTrainer isn't used: five trainings on this corpus, in five processes
with version 0.23.3, gave five vocabularies (ties go by the order of a hash map). Ids decide which
row of the embedding a word gets, so that each would have been another run.
"""

import re
import string
from collections import Counter
from collections.abc import Iterable

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
VOCAB_SIZE = 2000
WHOLE_WORDS = 1700  # so many of the commonest words get a token of their own; rarer ones split


def train_vocabulary(texts: Iterable[str]) -> list[str]:
    """Exactly `VOCAB_SIZE` tokens in the order of their ids, `[PAD]` being 0.

    Specials, each character alone and as a continuation ("##a"), the commonest words, and the
    commonest beginnings and ends of the remaining ones. Ties go by the alphabet. `texts` are
    ASCII: `BertPreTokenizer` splits those into the same words as the pattern below.
    """
    counts = Counter(re.findall(r"[a-z0-9]+|[^a-z0-9\s]", " ".join(texts).lower()))
    ranked = _ranked(counts)
    # All of ASCII, in the corpus or not, so that other English text has no unknown letters.
    characters = sorted({*string.ascii_lowercase, *string.digits, *string.punctuation})
    pieces: Counter[str] = Counter()
    for word in ranked[WHOLE_WORDS:]:
        for cut in range(2, len(word) - 1):
            pieces[word[:cut]] += counts[word]
            pieces["##" + word[cut:]] += counts[word]
    continuations = [f"##{character}" for character in characters if character.isalnum()]
    # A dict, since a short word can be a character or a beginning as well.
    vocabulary = dict.fromkeys(
        [*SPECIAL, *characters, *continuations, *ranked[:WHOLE_WORDS], *_ranked(pieces)]
    )
    return list(vocabulary)[:VOCAB_SIZE]


def _ranked(counts: Counter[str]) -> list[str]:
    return sorted(counts, key=lambda text: (-counts[text], text))
