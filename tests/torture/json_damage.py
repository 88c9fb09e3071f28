"""Damage to JSON text: values, keys and whole documents replaced by what nobody would write.

A document is taken apart into `Node`s, so that a key can stand there twice, and any text in the
place of a value, JSON or not.
"""

import json
from random import Random
from typing import Any

DEEP = 100_000  # levels

# What is put in a value's place, as text: most of it is JSON, and some that only looks so.
TOKENS = (
    *"null true false 0 1 -1 2 7 -0 0.5 -0.0 1.0 1e308 1e400 -1e999 5e-324 1e-400".split(),
    *"NaN Infinity -Infinity nan undefined None True 01 +1 .5 1. 0x10 1_000 1e".split(),
    *(str(2**n + d) for n in (8, 16, 31, 32, 53, 63, 64) for d in (-1, 0, 1)),
    str(-(2**31) - 1),
    str(-(2**63) - 1),
    *('""', '" "', '"x"', '"0"', '"1"', '"-1"', '"nan"', '"inf"', '"none"', '"null"', '"true"'),
    *('"1e5"', '"[]"', '"-"', '"\\u0000"', '"a\\u0000b"', '"\\ud800"', '"\\udfff\\ud800"'),
    *('"\\u202e"', '"\\n"', '"\\r\\n\\t"', '"\\u001b[31m"', '"\ufeff"', '"é漢\U0001f600"'),
    *('"../../other"', '"/dev/zero"', '"/etc/passwd"', '"."', '"~"', '"C:\\\\x"', '"http://a/b"'),
    *("[]", "{}", "[[]]", "[null]", "[0]", '[""]', '{"":null}', '{"a":1,"a":2}', "[1,2,3]"),
    # As a ledger packs its lists.
    *('"="', '"=AAAA"', '"=AAAAAAAAAAA="', '"-*8"', '"a*8 b"', '"-*0"', '"-*99999999999999999999"'),
    *('"unterminated', "[", "{", "]", "}", ",", "'x'", "/* x */ 1", "1 // x", "", "\x00", "\t"),
)
# Those that take room: as likely, all together, as one of the others ten times.
LARGE = (
    lambda: str(10**400),
    lambda: "-" + "9" * 5000,
    lambda: "1" * 100_000,
    lambda: "0." + "3" * 100_000,
    lambda: json.dumps("x" * 1_000_000),
    lambda: json.dumps("é" * 100_000),
    lambda: "[" * DEEP + "]" * DEEP,
    lambda: "[" * DEEP,
    lambda: '{"a":' * DEEP + "1" + "}" * DEEP,
    lambda: "[" * 500 + "]" * 500,
    lambda: '{"a":' * 20 + "1" + "}" * 20,
    lambda: json.dumps(list(range(100_000))),
    lambda: '"-*10000000"',
    lambda: json.dumps("=" + "A" * 1_000_000),
    lambda: json.dumps({str(i): i for i in range(50_000)}),
)


class Raw(str):
    """Text that stands in a document as it is."""


class Object(list[list[Any]]):
    """A mapping as a list of [key, value]."""


def token(rng: Random) -> str:
    """The text of some value."""
    if rng.random() < 0.08:
        return rng.choice(LARGE)()
    return rng.choice(TOKENS)


def take_apart(text: str) -> Any:
    """A document whose objects are `Object`s."""
    return json.loads(text, object_pairs_hook=lambda pairs: Object([list(p) for p in pairs]))


def render(value: Any) -> str:
    """The text of a document that was taken apart, in the ledger's own layout."""
    if isinstance(value, Raw):
        return str(value)
    if isinstance(value, Object):
        inner = (f"{k if isinstance(k, Raw) else json.dumps(k)}:{render(v)}" for k, v in value)
        return "{" + ",".join(inner) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(render, value)) + "]"
    return json.dumps(value)


def damage_json(text: str, rng: Random) -> tuple[str, str]:
    """A document with one thing in it damaged.

    Returns:
        Its text, and what was done, in words.
    """
    document = take_apart(text)
    places = list(_places(document))
    if not places or rng.random() < 0.02:
        put = token(rng)
        return put, f"all of it -> {put[:40]}"
    holder, at, path = rng.choice(places)
    what = _OBJECT_OR_LIST[rng.randrange(len(_OBJECT_OR_LIST))](holder, at, rng)
    return render(document), f"{path}: {what}"


def _places(value: Any, path: str = "") -> Any:
    """(holder, index, path) of each entry within a document; keys come with their values."""
    if isinstance(value, Object):
        for at, (key, inner) in enumerate(value):
            yield value, at, f"{path}.{key}"
            yield from _places(inner, f"{path}.{key}")
    elif isinstance(value, list):
        for at, inner in enumerate(value):
            yield value, at, f"{path}.{at}"
            yield from _places(inner, f"{path}.{at}")


def _get(holder: Any, at: int) -> Any:
    return holder[at][1] if isinstance(holder, Object) else holder[at]


def _put(holder: Any, at: int, value: Any) -> None:
    if isinstance(holder, Object):
        holder[at][1] = value
    else:
        holder[at] = value


def _replace(holder: Any, at: int, rng: Random) -> str:
    put = token(rng)
    _put(holder, at, Raw(put))
    return f"-> {put[:40]}"


def _alter(holder: Any, at: int, rng: Random) -> str:
    """Another value of the same kind, which the schema would take."""
    value = _get(holder, at)
    if isinstance(value, bool):
        other: Any = not value
    elif isinstance(value, int):
        other = value + rng.choice((-1, 1, 2, 1000))
    elif isinstance(value, float):
        other = value * rng.choice((-1.0, 1.0000001, 2.0)) + 1e-3
    elif isinstance(value, str):
        place = rng.randrange(len(value) + 1)
        other = value[:place] + rng.choice(("0", "f", " ", "-", "é")) + value[place + 1 :]
    elif isinstance(value, list) and value:
        other = type(value)(value[:: rng.choice((-1, 2))])
    else:
        other = Raw(token(rng))
    _put(holder, at, other)
    return f"altered to {render(other)[:40]}"


def _remove(holder: Any, at: int, rng: Random) -> str:
    del holder[at]
    return "taken out"


def _rename(holder: Any, at: int, rng: Random) -> str:
    if not isinstance(holder, Object):
        return _replace(holder, at, rng)
    others = [key for key, _ in holder]
    key = rng.choice(("", "x", holder[at][0] + "s", holder[at][0].upper(), *others))
    holder[at][0] = key
    return f"called {key!r}"


def _twice(holder: Any, at: int, rng: Random) -> str:
    again = [*holder[at]] if isinstance(holder, Object) else holder[at]
    if isinstance(again, list) and isinstance(holder, Object) and rng.random() < 0.5:
        again[1] = Raw(token(rng))
    holder.insert(rng.choice((at, at + 1, len(holder))), again)
    return "put in twice"


def _add(holder: Any, at: int, rng: Random) -> str:
    put = Raw(token(rng))
    key = rng.choice(("", "kind", "__class__", "x", "version", "\u202e", "k" * 10_000))
    holder.insert(at, [key, put] if isinstance(holder, Object) else put)
    return f"{key[:20]!r} added before it: {put[:40]}"


def _swap(holder: Any, at: int, rng: Random) -> str:
    other = rng.randrange(len(holder))
    mine, theirs = _get(holder, at), _get(holder, other)
    _put(holder, at, theirs)
    _put(holder, other, mine)
    return f"swapped with entry {other}"


def _wrap(holder: Any, at: int, rng: Random) -> str:
    value = _get(holder, at)
    _put(holder, at, [value] if rng.random() < 0.5 else Object([["x", value]]))
    return "wrapped"


# How often each is done.
_OBJECT_OR_LIST = (
    *(_replace, _replace, _replace, _replace, _alter, _alter, _alter),
    *(_remove, _remove, _rename, _twice, _add, _swap, _wrap),
)
