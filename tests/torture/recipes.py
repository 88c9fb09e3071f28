"""Damaged recipes, JSON and YAML: refused by file and field, or read as what they say."""

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from random import Random

from reference.lesson.recipe import Recipe
from tests.torture import small_inputs
from tests.torture.file_damage import NAMES, content_of, damage_bytes, damage_file, damage_lines
from tests.torture.json_damage import damage_json, token
from tests.torture.judge import Case

# What a refusal may name in place of the file: what the file asks for is of no use here.
ASKED = ("--data", "--checkpoint", "unknown task", "task '", "max_length: ", "device: ", "the hub")
ASKED += ("an empty name", " in it: neither ", "that no file's name can have")

# Of YAML's own: each takes the place of a value, or stands as lines of its own.
VALUES = (
    *("&a 1", "*a", "!!python/object/apply:os.system [id]", "!!python/name:os.system", "!!int 8"),
    *("!!binary aGk=", "!!set {a, b}", "!x 1", "!!null", "!!float .inf", ".inf", "-.inf", ".nan"),
    *("~", "no", "yes", "on", "0o17", "0x1F", "0b1", "1_000", "1:30", "2001-12-14", "012", "+1"),
    *("[1, 2", "{a: 1}", "[[[]]]", "? a", "- 1", "|", ">", "|2-", '"a', "'a", "'it''s'", "`x`"),
    *("@x", "%x", "a: b", "a #b", "# b", "\t1", "1\t", "\x07", "\x85", "\u2028x", "1e5", "1e400"),
    *("<<", "=", "---", "...", "*", "&", "!", "!<tag:yaml.org,2002:int> 3", "\\x00", '"\\x00"'),
)
LINES = (
    *("<<: *a", "<<: {seed: 1}", "<<: [{seed: 1}, {task: sst2}]", "? [a, b]\n: 1", "? {a: 1}\n: 2"),
    *("--- \nseed: 1", "...", "%YAML 1.1\n---", "%YAML 9.9\n---", "%TAG ! tag:x,2000:\n---"),
    *("a: &a [*a]", "a: &a {b: *a}", "- x", "  x: 1", "\tx: 1", "x", ": x", "? x", "'': 1", "~: 1"),
    *("seed: 1", "seed : 2", '"seed": 3', "!!str seed: 4", "version: 1", "version: 2", "1: 1"),
)
LARGE: tuple[Callable[[], str], ...] = (
    lambda: _laughs(9),
    lambda: _laughs(30),
    lambda: "x: " + "[" * 30_000,
    lambda: "x: " + "[" * 30_000 + "]" * 30_000,
    lambda: "x: " + "{a: " * 15_000,
    lambda: "- " * 30_000,
    lambda: "? " * 30_000,
    lambda: "x: " + "&a " * 20_000,
    lambda: "x: " + "!a " * 20_000,
    lambda: "x: " + "9" * 60_000,
    lambda: "x: '" + "''" * 30_000 + "'",
    lambda: "x: |\n" + " y\n" * 20_000,
    lambda: "".join(" " * i + f"k{i}:\n" for i in range(300)),
    lambda: "".join(f"k{i}: &a{i} x\n" for i in range(4000)),
    lambda: "".join(f"k{i}: *a\n" for i in range(4000)),
)


def _laughs(levels: int) -> str:
    """Nine times as many laughs at each level as at the one before it."""
    lines = ["l0: &l0 lol"]
    for level in range(1, levels):
        before = ", ".join([f"*l{level - 1}"] * 9)
        lines.append(f"l{level}: &l{level} [{before}]")
    return "\n".join([*lines, f"seed: *l{levels - 1}"])


def prepare(folder: Path) -> Callable[[Random, Path], Case]:
    """Whole recipes, to be damaged, of a run so small that it takes a moment."""
    data = small_inputs.write_data(folder / "data")
    bert = small_inputs.write_bert(folder / "bert")
    recipe = Recipe(
        data=str(data), checkpoint=str(bert), max_length=small_inputs.LENGTH, device="cpu"
    ).to_json()
    (folder / "recipe.json").write_text(json.dumps(recipe))
    lines = [f"{name}: {'none' if value is None else value}" for name, value in recipe.items()]
    (folder / "recipe.yaml").write_text("\n".join(lines) + "\n")
    return partial(_make, folder)


def _make(folder: Path, rng: Random, work: Path) -> Case:
    # What the file says is read and checked; then a training is made short and harmless by these.
    words, run_dir = small_inputs.command(rng, work / "run")
    if run_dir is not None:
        words += ["--learning-rate", "1e-3", "--adam-epsilon", "1e-8", "--weight-decay", "0"]
        words += ["--adam-beta1", "0.9", "--adam-beta2", "0.9", "--max-grad-norm", "1"]
    if rng.random() < 0.03:
        wrong = rng.choice([*NAMES, *(f"{name}.json" for name in NAMES), "a\n.yaml"])
        return Case([*words, "--recipe", wrong], f"named {wrong[:40]!r}", run_dir=run_dir)
    suffix = rng.choice((".json", ".json", ".yaml", ".yml", ""))
    whole = folder / ("recipe.yaml" if suffix.startswith(".y") else "recipe.json")
    given = work / f"mine{suffix}"
    file = given
    if not suffix:  # a run's folder
        given.mkdir()
        file = given / "recipe.json"
    file.write_bytes(whole.read_bytes())
    damage = "; ".join(_damage(file, rng) for _ in range(rng.choice((1, 1, 1, 2))))
    return Case(
        [*words, "--recipe", str(given)],
        f"{suffix or 'run'}: {damage}",
        places=(str(given), *ASKED),
        run_dir=run_dir,
    )


def _damage(file: Path, rng: Random) -> str:
    chance = rng.random()
    try:
        content = content_of(file)
    except OSError:
        return "and nothing more"
    if chance < 0.06:
        return damage_file(file, rng)
    if chance < 0.2:
        content, what = damage_bytes(content, rng)
    elif chance < 0.3:
        content, what = damage_lines(content, rng)
    else:
        change = damage_json if file.suffix == ".json" else _damage_yaml
        try:
            text, what = change(content.decode(), rng)
        except (ValueError, RecursionError):  # it was damaged before
            text, what = token(rng), "another document"
        content = text.encode(errors="surrogatepass")
    file.write_bytes(content)
    return what


def _damage_yaml(text: str, rng: Random) -> tuple[str, str]:
    lines = text.split("\n")
    at = rng.randrange(len(lines))
    name = lines[at].split(":")[0]
    chance = rng.random()
    if chance < 0.1:
        put, what = rng.choice(LARGE)(), "large lines put in"
        lines.insert(at, put)
    elif chance < 0.35:
        put = rng.choice(LINES)
        lines.insert(at, put)
        what = f"line {put[:40]!r} put in"
    else:
        put = rng.choice(VALUES) if chance < 0.7 else token(rng)
        lines[at] = f"{name}: {put}"
        what = f"{name} -> {put[:40]!r}"
    return "\n".join(lines), what
