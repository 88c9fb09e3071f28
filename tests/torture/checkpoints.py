"""Damaged checkpoints: what their files ask for, their weights' header, their tokenizer."""

import json
import struct
from collections.abc import Callable
from functools import partial
from pathlib import Path
from random import Random

from tests.torture import small_inputs
from tests.torture.file_damage import content_of, copy, damage_bytes, damage_file, damage_lines
from tests.torture.json_damage import damage_json, token
from tests.torture.judge import Case

WEIGHTS = "model.safetensors"
KERNEL = '"kernels-community/flash-attn"'
# Fields of a config.json by which transformers does more than to make a BERT.
FIELDS: dict[str, tuple[str, ...]] = {
    "quantization_config": ('{"quant_method":"bitsandbytes","load_in_4bit":true}', "{}", "null"),
    "compression_config": ('{"quant_method":"compressed-tensors"}',),
    "_attn_implementation": (KERNEL, '"flash_attention_2"', '"eager"', '"sdpa"', '"flex"'),
    "attn_implementation": (KERNEL, '{"":"sdpa"}', "3"),
    "_attn_implementation_internal": (KERNEL,),
    "_experts_implementation": (KERNEL,),
    "base_model_tp_plan": ('{"layer.*":"colwise"}',),
    "base_model_pp_plan": ('{"x":[["a"],["b"]]}',),
    "auto_map": ('{"AutoModel":"x--y.Z","AutoTokenizer":["x--y.Z",null]}',),
    "architectures": ('["GPT2LMHeadModel"]', "7", "[]", "[null]"),
    "model_type": ('"bert "', '"roberta"', '"BERT"', "null", '["bert"]', '"../bert"'),
    "transformers_version": ('"99.0"', "0", "[]"),
    "tokenizer_class": ('"GPT2Tokenizer"', '"os.system"', "7"),
    "hidden_act": ('"nix"', '"relu"', '"gelu_new"', '"eval"', "[]", '"quick_gelu"'),
    "dtype": ('"float16"', '"bfloat16"', '"int8"', '"nix"', "7"),
    "torch_dtype": ('"float8_e4m3fn"', '"nix"'),
    "max_position_embeddings": (str(2**62), str(2**20), "31", "32", "33", "1"),
    "num_hidden_layers": (str(9 * 10**18), "257", "256", "0", "2"),
    "vocab_size": (str(2**24), str(2**31), "1", "17", "18", "1000"),
    "hidden_size": (str(2**16), str(2**31), "15", "1", "32"),
    "intermediate_size": (str(2**18), "1", "0"),
    "num_attention_heads": ("16", "3", "0", "1"),
    "type_vocab_size": ("1", "0", str(2**16)),
    "pad_token_id": ("17", "18", "-1", "null", "1"),
    "layer_norm_eps": ("1e400", "1", "1e-300", "-1"),
    "initializer_range": ("1e308", "-1", "1e-300", "11"),
    "num_labels": ("1", "7", str(2**40)),
    "id2label": ('{"0":"a"}', "[]", '{"a":"b"}', "null"),
    "label2id": ('{"a":"b"}', "7"),
    "problem_type": ('"regression"', '"multi_label_classification"', "7"),
    "is_decoder": ("true", "1", '"false"'),
    "add_cross_attention": ("true",),
    "position_embedding_type": ('"relative_key_query"',),
    "pruned_heads": ('{"0":[0]}', '{"a":1}', "[]"),
    "chunk_size_feed_forward": ("3", "1"),
    "gradient_checkpointing": ("true",),
    "tie_word_embeddings": ("false", "7"),
    "torchscript": ("true",),
    "return_dict": ("false",),
    "output_hidden_states": ("true",),
    "use_cache": ('"x"',),
    "rope_scaling": ('{"type":"linear"}', "7"),
    "per_layer_config": ("{}",),
}
LABELLED = ("a", "b", "c")
FAR = (2**31, 2**31 - 1, 2**32 - 1, 2**32, 2**63, 2**24, -1, 18, 17, 10**30)
# Files that somebody put beside it.
BESIDE: dict[str, tuple[str, ...]] = {
    "adapter_config.json": ('{"peft_type":"LORA","base_model_name_or_path":"x"}', "{}", "x"),
    "adapter_model.safetensors": ("", "x"),
    "model.safetensors.index.json": (
        '{"metadata":{},"weight_map":{"embeddings.word_embeddings.weight":"../../other"}}',
        '{"weight_map":7}',
        "{}",
        "x",
    ),
    "pytorch_model.bin": ("x", ""),
    "added_tokens.json": ('{"x":2147483648}', '{"x":17}', '{"x":18}', "[]", "7", '{"x":"y"}', "x"),
    "special_tokens_map.json": (
        *('{"pad_token":"a"}', '{"unk_token":7}', "[]", "x", '{"cls_token":{"content":"q"}}'),
        '{"additional_special_tokens":["a","b"]}',
    ),
    "generation_config.json": ("{}", "x"),
    "preprocessor_config.json": ("{}", "x"),
    "chat_template.jinja": ("{{ 1 / 0 }}",),
    "modeling_bert.py": ("import os; os._exit(7)",),
    "tokenization_bert.py": ("import os; os._exit(7)",),
    "custom_generate/generate.py": ("import os; os._exit(7)",),
    "merges.txt": ("#version: 0.2\na b\n",),
    "spiece.model": ("x",),
    "vocab.json": ('{"a":0}', "x"),
    "tokenizer.model": ("x",),
    "tekken.json": ("{}", "x"),
}


def prepare(folder: Path) -> Callable[[Random, Path], Case]:
    """A whole checkpoint, to be damaged, and data for it."""
    small_inputs.write_data(folder / "data")
    small_inputs.write_bert(folder / "bert")
    return partial(_make, folder)


def _make(folder: Path, rng: Random, work: Path) -> Case:
    bert = copy(folder / "bert", work / "bert")
    damage = "; ".join(_damage(bert, rng) for _ in range(rng.choice((1, 1, 1, 2))))
    words, run_dir = small_inputs.command(rng, work / "run")
    return Case(
        [*words, *small_inputs.options(folder / "data", bert)],
        damage,
        places=(str(bert), "max_length: "),
        run_dir=run_dir,
    )


def _damage(bert: Path, rng: Random) -> str:
    what = rng.choice(WHAT)
    try:
        return what(bert, rng)
    except (OSError, ValueError, LookupError, RecursionError, struct.error):
        return "and nothing more"  # what would be damaged was damaged before


def _config_field(bert: Path, rng: Random) -> str:
    path = bert / "config.json"
    name = rng.choice(sorted(FIELDS))
    value = rng.choice(FIELDS[name]) if rng.random() < 0.6 else token(rng)
    fields = {k: json.dumps(v) for k, v in json.loads(content_of(path).decode()).items()}
    fields[name] = value
    text = "{" + ",".join(f"{json.dumps(k)}:{v}" for k, v in fields.items()) + "}"
    path.write_text(text, encoding="utf-8", errors="surrogatepass")
    return f"config.json: {name} -> {value[:50]}"


def _some_json(bert: Path, rng: Random) -> str:
    path = rng.choice(sorted(bert.glob("*.json")))
    text, what = damage_json(content_of(path).decode(), rng)
    path.write_text(text, encoding="utf-8", errors="surrogatepass")
    return f"{path.name}: {what}"


def _some_bytes(bert: Path, rng: Random) -> str:
    path = rng.choice(sorted(path for path in bert.iterdir() if path.is_file()))
    change = damage_lines if path.suffix == ".txt" and rng.random() < 0.5 else damage_bytes
    content, what = change(content_of(path), rng)
    path.write_bytes(content)
    return f"{path.name}: {what}"


def _other_kind(bert: Path, rng: Random) -> str:
    return damage_file(rng.choice(sorted(bert.iterdir())), rng)


def _beside(bert: Path, rng: Random) -> str:
    name = rng.choice(sorted(BESIDE))
    path = bert / name
    path.parent.mkdir(exist_ok=True)
    content = rng.choice(BESIDE[name])
    path.write_text(content)
    if rng.random() < 0.15:
        return damage_file(path, rng)
    if rng.random() < 0.2:
        (bert / WEIGHTS).unlink()
    return f"{name} beside it: {content[:50]}"


def _header(bert: Path, rng: Random) -> str:
    """A header of the weights that lies: about its length, or what it says of a tensor."""
    path = bert / WEIGHTS
    content = content_of(path)
    (length,) = struct.unpack("<Q", content[:8])
    header, rest = content[8 : 8 + length].decode(), content[8 + length :]
    if rng.random() < 0.25:
        lie = rng.choice((0, 1, length - 1, length + 1, 2**31, 2**40, 2**63, 2**64 - 1, 10**8 + 1))
        path.write_bytes(struct.pack("<Q", lie) + content[8:])
        return f"weights: a header of {lie} bytes"
    if rng.random() < 0.5:
        text, what = damage_json(header, rng)
    else:
        tensors = json.loads(header)
        name = rng.choice([name for name in tensors if name != "__metadata__"])
        field, value = rng.choice(LIES)
        tensors[name][field] = value
        text, what = json.dumps(tensors), f"{name}: {field} of {value}"
    put = text.encode(errors="surrogatepass")
    path.write_bytes(struct.pack("<Q", len(put)) + put + rest)
    return f"weights: {what}"


LIES: tuple[tuple[str, object], ...] = (
    *(("dtype", each) for each in ("F64", "F16", "BF16", "I64", "BOOL", "F8_E4M3", "U8", "NIX")),
    *(("shape", each) for each in ([], [0], [16], [2**62, 4], [2**40], [-1], [16, 16, 1], [1.5])),
    *(("data_offsets", each) for each in ([0, 0], [0, 64], [64, 0], [0, 2**63], [-4, 60], [0])),
)


def _token(bert: Path, rng: Random) -> str:
    """A token whose id is far off, in one of the places where ids stand."""
    number = rng.choice(FAR)
    path = bert / rng.choice(("tokenizer.json", "tokenizer.json", "tokenizer_config.json"))
    content = json.loads(content_of(path).decode())
    if path.name == "tokenizer_config.json":
        token = {"content": "x", "special": rng.random() < 0.5}
        content["added_tokens_decoder"] = {str(number): token}
    elif rng.random() < 0.4:
        content["model"]["vocab"][rng.choice(LABELLED)] = number
    elif rng.random() < 0.5:
        content["added_tokens"][rng.randrange(5)]["id"] = number
    else:
        special = content["post_processor"]["special_tokens"]["[CLS]"]
        special["ids"] = [number] * rng.choice((1, 2, 100_000))
        special["tokens"] = ["[CLS]"] * len(special["ids"])
    path.write_text(json.dumps(content))
    return f"{path.name}: an id of {number}"


PARTS: dict[str, tuple[str, ...]] = {
    "truncation": (
        '{"direction":"Right","max_length":0,"strategy":"LongestFirst","stride":0}',
        '{"direction":"Right","max_length":4,"strategy":"OnlyFirst","stride":9}',
    ),
    "padding": (
        '{"strategy":{"Fixed":2000000000},"direction":"Right","pad_to_multiple_of":null,'
        '"pad_id":0,"pad_type_id":0,"pad_token":"[PAD]"}',
        '{"strategy":"BatchLongest","direction":"Left","pad_to_multiple_of":1000000000,'
        '"pad_id":4000000000,"pad_type_id":9,"pad_token":"x"}',
    ),
    "normalizer": (
        '{"type":"Replace","pattern":{"Regex":"(a|a)*$"},"content":"b"}',
        '{"type":"Replace","pattern":{"Regex":"("},"content":"b"}',
        '{"type":"Replace","pattern":{"String":""},"content":"x"}',
        '{"type":"Replace","pattern":{"Regex":""},"content":"xxxxxxxxxxxxxxxx"}',
        '{"type":"Prepend","prepend":"\\u0000"}',
        '{"type":"Sequence","normalizers":' + "[" * 100 + "]" * 100 + "}",
        '{"type":"Precompiled","precompiled_charsmap":"AAAA"}',
    ),
    "pre_tokenizer": (
        '{"type":"Split","pattern":{"Regex":"(.*)*x"},"behavior":"Isolated","invert":false}',
        '{"type":"Split","pattern":{"String":""},"behavior":"Isolated","invert":true}',
        '{"type":"ByteLevel","add_prefix_space":true,"trim_offsets":true,"use_regex":true}',
        '{"type":"FixedLength","length":0}',
        '{"type":"nix"}',
        "null",
    ),
    "post_processor": (
        "null",
        '{"type":"BertProcessing","sep":["[SEP]",4000000000],"cls":["[CLS]",2]}',
        '{"type":"RobertaProcessing","sep":["[SEP]",3],"cls":["[CLS]",2],"trim_offsets":true,'
        '"add_prefix_space":true}',
        '{"type":"TemplateProcessing","single":[],"pair":[],"special_tokens":{}}',
    ),
    "decoder": ('{"type":"nix"}', '{"type":"WordPiece","prefix":"","cleanup":true}', "7"),
    "model": (
        '{"type":"WordLevel","vocab":{"a":0},"unk_token":"b"}',
        '{"type":"BPE","vocab":{"a":0,"b":1},"merges":[["a","b"]]}',
        '{"type":"BPE","vocab":{},"merges":[]}',
        '{"type":"Unigram","unk_id":7,"vocab":[["a",0.0]]}',
        '{"type":"Unigram","unk_id":null,"vocab":[]}',
        '{"type":"WordPiece","unk_token":"[UNK]","continuing_subword_prefix":"",'
        '"max_input_chars_per_word":18446744073709551615,"vocab":{"[UNK]":1,"a":5}}',
        '{"type":"WordPiece","unk_token":"q","continuing_subword_prefix":"##",'
        '"max_input_chars_per_word":0,"vocab":{"a":5}}',
    ),
}


def _tokenizer_part(bert: Path, rng: Random) -> str:
    path = bert / "tokenizer.json"
    content = {k: json.dumps(v) for k, v in json.loads(content_of(path).decode()).items()}
    part = rng.choice(sorted(PARTS))
    content[part] = rng.choice(PARTS[part])
    path.write_text("{" + ",".join(f"{json.dumps(k)}:{v}" for k, v in content.items()) + "}")
    return f"tokenizer.json: {part} -> {content[part][:60]}"


WHAT = (
    *(_config_field, _config_field, _config_field, _some_json, _some_json, _some_bytes),
    *(_some_bytes, _other_kind, _beside, _beside, _header, _header, _token, _tokenizer_part),
    _tokenizer_part,
)
