"""Sentence pairs in MRPC's shape: one story told twice, or two stories built alike.

    python -m reference data

A pair starts from one story: a clause and some movable parts. Both sentences tell it, each in its
own order, each leaving something out, each with its own choice among synonyms. All that is the
same for both labels, so that length, punctuation, digits and the words of either sentence say
nothing. The label decides one thing: how many content words of the second telling are drawn
again. Few: a paraphrase whose details differ a little. Many: another story in the same mould.
The redrawn words come from the distribution of the first ones, so that only a comparison tells.
"""

from dataclasses import dataclass

from reference.lesson.embedded.draw import Draw

# "<adj?>" is there or isn't; "<noun*>" is a list of one to four. Both, and the small number of
# function words, leave few marks from which a linear model could tell how many different words a
# pair should have; it would have the label then (0.75 on the test split with a conjunction for
# each kind of clause; 0.72 is left, see the tests).
CORES = (
    "the <adj?> <noun?> <noun> <verb> the <adj?> <noun> of <firm>",
    "<firm> <verb> the <adj?> <noun*> <adv?>",
    "the <noun> of <firm> <adv?> <rise> <number> percent to $ <number>",
    "<person> <adv?> <verb> the <adj?> <noun> 's <adj?> <noun*>",
    "the <adj?> <noun*> <verb> <count> <adj?> <noun> cases",
    "<place> 's <adj?> <noun?> <noun> <verb> the <adj?> <noun> of $ <number> <unit>",
    "the <adj?> <title> <verb> <count> people in the <adj?> <noun*>",
    "the <adj?> <noun> <verb> the <adj?> <noun*> of <place>",
)
EXTRAS = (
    "<link> <person> <adv?> <verb> the <adj?> <noun*>",
    "<link> the <adj?> <noun> <verb> <count> <adj?> people",
    "<link> the <noun?> <noun> <verb> the <adj?> <noun> of <place>",
    "<link> the <adj?> <noun*> <adv?> <verb> <firm>",
    "<link> the <adj?> <noun> of $ <number> <unit> <verb> the <noun?> <noun*>",
)
TIMES = (
    "on <day>",
    "in <place>",
    "in <month>",
    "in <year>",
    "in the <adj?> <noun*>",
    "in the <adj?> <noun> of <place>",
)
VOICES = (
    "<person> said",
    "the <noun> <title> said",
    "the <firm> <title> , <person> , said",
    "<title> <person> told reporters",
    "the <noun> said",
)

# What one telling adds of its own. It says nothing, and hides a difference in length: that of the
# redrawn words themselves would be a hint (a paraphrase keeps its words, and so their length).
REMARKS = ("of course", "as expected", "for now", "at least", "it seems", "once more", "in all")

# How many extras and times a story has. With the templates above this gives the length profile of
# MRPC under a WordPiece tokenizer: a mean of 54.5 tokens a pair (MRPC: 53), 103 the longest.
SIZES = ((0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2), (2, 0), (2, 1))
SIZE_WEIGHTS = (0.08, 0.22, 0.13, 0.27, 0.18, 0.05, 0.06, 0.01)

# The share of content words drawn again lies in this range, by label. In a short pair, parts left
# out, synonyms and chance close the gap: counting common words gets 0.94 of the labels, not all.
SHARES = {1: (0.0, 0.10), 0: (0.30, 0.54)}
LONGEST = 90  # words a pair; the tokenizer makes up to 105 tokens of them
# Probabilities: of a part or the speaker being left out, of a word being swapped for a synonym, of
# a sentence being a quotation, of a remark of its own.
LEAVE_OUT, SYNONYM, QUOTED, REMARK = 0.03, 0.04, 0.15, 0.35

# The slots that carry the story. Links and units are too few to be drawn again and differ.
CONTENT = frozenset(
    "noun verb adj adv rise day month title person firm place number count year".split()
)

Part = list[tuple[str, str]]  # (slot kind, or "" for a fixed word; text)


@dataclass(frozen=True)
class Story:
    """What a pair is about."""

    core: Part
    extras: list[Part]
    times: list[Part]
    voice: Part | None


def make_pair(draw: Draw, label: int) -> tuple[str, str]:
    """Two sentences; `label` 1 where they say the same, 0 where they don't."""
    share = draw.between(*SHARES[label])
    while True:
        story = _story(draw)
        telling, other = _arrange(draw, story), _arrange(draw, story)
        # Before a word is drawn again, so that both labels are picked alike. Without it, one
        # paraphrase in twenty would be a sentence and itself.
        if telling == other:
            continue
        first, second = _say(draw, telling, 0.0), _say(draw, other, share)
        if len(first.split()) + len(second.split()) <= LONGEST:
            return (first, second) if draw.chance(0.5) else (second, first)


def _story(draw: Draw) -> Story:
    extras, times = draw.weighted(SIZES, SIZE_WEIGHTS)
    return Story(
        core=_fill(draw, draw.choice(CORES)),
        extras=[_fill(draw, draw.choice(EXTRAS)) for _ in range(extras)],
        times=[_fill(draw, draw.choice(TIMES)) for _ in range(times)],
        voice=_fill(draw, draw.choice(VOICES)) if draw.chance(0.55) else None,
    )


def _fill(draw: Draw, template: str) -> Part:
    part: Part = []
    for piece in template.split():
        kind = piece.strip("<>?*")
        if piece[0] != "<":
            part.append(("", piece))
        elif piece.endswith("*>"):
            part += _list(draw, kind)
        elif not piece.endswith("?>") or draw.chance(0.5):
            part.append((kind, draw.slot(kind)))
    return part


def _list(draw: Draw, kind: str) -> Part:
    """'fire', 'fire and storm', 'fire , storm and flood', ..."""
    part: Part = [(kind, draw.slot(kind))]
    for left in range(draw.weighted((0, 1, 2, 3), (0.52, 0.2, 0.16, 0.12)), 0, -1):
        part += [("", "and" if left == 1 else ","), (kind, draw.slot(kind))]
    return part


def _arrange(draw: Draw, story: Story) -> Part:
    """One telling, from its first word to its last: parts of the story in an order of its own."""
    comma, quote = ("", ","), ("", '"')

    def kept(parts: list[Part]) -> list[Part]:
        return [part for part in draw.shuffled(parts) if not draw.chance(LEAVE_OUT)]

    times, extras = kept(story.times), kept(story.extras)
    body = story.core
    if times and draw.chance(0.4):
        body = [*times.pop(), comma, *body]
    for part in times:
        body = [*body, *part]
    for part in extras:
        body = [*body, comma, *part]
    if draw.chance(REMARK):
        remark = _fill(draw, draw.choice(REMARKS))
        body = [*remark, comma, *body] if draw.chance(0.5) else [*body, comma, *remark]
    quoted = draw.chance(QUOTED)
    voice = story.voice
    if voice is None or draw.chance(LEAVE_OUT):
        # MRPC's own sentences are often cut from a longer quotation, and open a quote for good.
        return [quote, *body] if quoted else body
    if draw.chance(0.5):
        return [quote, *body, comma, quote, *voice] if quoted else [*body, comma, *voice]
    return [*voice, *body]


def _say(draw: Draw, telling: Part, share: float) -> str:
    """The sentence of a telling, `share` of its content words drawn again."""
    # As near to that share as can be: a toss of a coin for each word would scatter the counts,
    # and the labels would have to lie further apart to be told, far enough for the number of
    # different words in a pair to give them away.
    count = sum(kind in CONTENT for kind, _ in telling)
    chosen = int(share * count + draw.between(0, 1))
    redraw = iter(draw.shuffled([True] * chosen + [False] * (count - chosen)))
    out = []
    for kind, text in telling:
        # A word drawn again may be swapped for a synonym too: otherwise first names, which a swap
        # drops, would be fewer in one label, and length would tell.
        word = draw.slot(kind, text) if kind in CONTENT and next(redraw) else text
        out.append(draw.synonym(kind, word) if kind and draw.chance(SYNONYM) else word)
    start = 1 if out[0] == '"' else 0
    out[start] = out[start][0].upper() + out[start][1:]
    return " ".join(out) + ("  ." if draw.chance(0.02) else " .")
