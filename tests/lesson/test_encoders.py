"""Every encoder that is known here: three loops are one run, and what must be refused still is."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn
from transformers import (
    MODEL_FOR_MASKED_LM_MAPPING,
    MODEL_FOR_PRETRAINING_MAPPING,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    PreTrainedModel,
    Trainer,
    TrainingArguments,
    pipeline,
)
from transformers.models.auto.modeling_auto import MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES

from reference.diff.ledgers import diff
from reference.lesson.checkpoint_config import ENCODERS, positions
from reference.lesson.checkpoints import load_tokenizer
from reference.lesson.data.pipeline import load_data
from reference.lesson.encoders import check_dropout
from reference.lesson.loops import LOOPS
from reference.lesson.model import load_model, parameter_groups
from reference.lesson.recipe import Recipe
from reference.run.inputs import check_inputs
from reference.run.one_run import run
from tests.helpers import encoders
from tests.helpers.encoders import POSITIONS, write_encoder
from tests.helpers.refusal import refusal, says

WEIGHTS = "model.safetensors"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The folder of an architecture's checkpoint, written at its first use."""
    place = tmp_path_factory.mktemp("encoders")

    def give(kind: str) -> Path:
        folder = place / kind
        return folder if folder.exists() else write_encoder(folder, kind)

    return give


@pytest.fixture
def copied(made: Callable[[str], Path], tmp_path: Path) -> Callable[[str], Path]:
    """A copy of it, to break."""
    return lambda kind: Path(shutil.copytree(made(kind), tmp_path / kind))


def recipe(folder: Path, small: Recipe | None = None, **fields: Any) -> Recipe:
    return replace(small or Recipe(), checkpoint=str(folder), **{"max_length": 32, **fields})


def test_all_are_tested_and_transformers_has_them() -> None:
    assert encoders.ENCODERS.keys() == ENCODERS.keys()
    assert ENCODERS.keys() <= MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES.keys()


@pytest.mark.parametrize("kind", ENCODERS)
def test_three_loops_are_one_run(
    kind: str, made: Callable[[str], Path], small: Recipe, tmp_path: Path
) -> None:
    """60 steps with dropout, decay and a clip."""
    fields = {"max_steps": 60, "weight_decay": 0.1, "learning_rate": 5e-4, "num_warmup_steps": 3}
    own = recipe(made(kind), small, **fields)
    for loop in LOOPS:
        run(own, loop, tmp_path / loop, save=loop == "manual")
    for loop in LOOPS[1:]:
        verdict = diff(tmp_path / LOOPS[0], tmp_path / loop)
        assert (verdict.verdict, verdict.steps) == ("identical", 60), verdict
    classify: Any = pipeline("text-classification", model=str(tmp_path / "manual" / "model"))
    (answer,) = classify([{"text": "the old man sleeps", "text_pair": "the man sleeps"}])
    assert answer["label"] in ("equivalent", "not_equivalent")


@pytest.mark.parametrize("kind", ENCODERS)
def test_groups_are_the_stock_trainers(
    kind: str, made: Callable[[str], Path], tmp_path: Path
) -> None:
    model = load_model(recipe(made(kind)))
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    trainer = Trainer(model, TrainingArguments(str(tmp_path), weight_decay=0.1, use_cpu=True))
    stock = trainer.create_optimizer().param_groups
    groups = parameter_groups(model, 0.1)
    assert len(groups) == len(stock)
    for group, other in zip(groups, stock, strict=True):
        assert group["weight_decay"] == other["weight_decay"]
        parameters: Any = group["params"]
        assert [names[id(p)] for p in parameters] == [names[id(p)] for p in other["params"]]


def test_a_norm_of_any_name_is_never_decayed(tmp_path: Path) -> None:
    """As the Trainer: by its class, or by a name that says so."""

    class RMS(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.ones(2))

    model = nn.ModuleDict(
        {
            "ln_1": nn.LayerNorm(2),
            "norm": RMS(),
            "my_norm": RMS(),
            "abnormal": RMS(),
            "rmsnorm": RMS(),
        }
    )
    trainer = Trainer(model, TrainingArguments(str(tmp_path), use_cpu=True))
    stock = set(trainer.get_decay_parameter_names(model))
    decayed: Any = parameter_groups(model, 0.1)[0]["params"]
    kept = {id(parameter) for parameter in decayed}
    assert {name for name, p in model.named_parameters() if id(p) in kept} == stock
    assert stock == {"abnormal.weight"}


@pytest.mark.parametrize("kind", ENCODERS)
def test_dropout_does_what_it_says(kind: str, made: Callable[[str], Path]) -> None:
    """Each dropout has the recipe's probability; 0 turns all of it off."""
    batch = {"input_ids": torch.tensor([[5, 6, 7, 8, 9, 10, 11]] * 8)}
    model = load_model(recipe(made(kind), dropout=0.3))
    found = {m.p for m in model.modules() if isinstance(m, nn.Dropout)}
    assert found == {0.3}
    for fraction, same in ((0.3, False), (0.0, True)):
        model = load_model(recipe(made(kind), dropout=fraction)).train()
        first, second = (model(**batch).logits for _ in range(2))
        assert torch.equal(first, second) == same


@pytest.mark.parametrize("kind", ENCODERS)
def test_attention_drops_out_too(kind: str, made: Callable[[str], Path]) -> None:
    """With every other dropout off, the outputs still move: attention has no module for its own."""
    batch = {"input_ids": torch.tensor([[5, 6, 7, 8, 9, 10, 11]] * 8)}
    model = load_model(recipe(made(kind), dropout=0.3)).train()
    for name, module in model.named_modules():
        if isinstance(module, nn.Dropout) and "attention" not in name and "attn" not in name:
            module.p = 0.0
    assert not torch.equal(*(model(**batch).logits for _ in range(2)))


def test_a_dropout_of_its_own_is_refused(made: Callable[[str], Path]) -> None:
    model = load_model(recipe(made("roberta")))
    model.classifier.dropout.p = 0.25
    line = refusal(lambda: check_dropout(model, 0.1))
    says(line, "dropout: RobertaForSequenceClassification's classifier.dropout.p is 0.25")


@pytest.mark.parametrize("kind", ENCODERS)
def test_as_many_positions_as_are_said(kind: str, made: Callable[[str], Path]) -> None:
    """A row of the bound goes through; RoBERTa's kind has no place for one that is longer."""
    model = load_model(recipe(made(kind))).eval()
    most = positions(kind, POSITIONS, model.config.pad_token_id)
    assert most is not None
    row = torch.full((1, most + 1), 7)
    assert model(input_ids=row[:, :-1]).logits.shape == (1, 2)
    if ENCODERS[kind]:
        assert most == POSITIONS - 2
        with pytest.raises((IndexError, RuntimeError)):
            model(input_ids=row)
    line = refusal(lambda: check_inputs(recipe(made(kind), max_length=most + 1)))
    says(line, f"max_length: {most + 1}", f"give --max-length {most}")
    check_inputs(recipe(made(kind), max_length=most))


@pytest.mark.parametrize("kind", ENCODERS)
@pytest.mark.parametrize("heads", [MODEL_FOR_MASKED_LM_MAPPING, MODEL_FOR_PRETRAINING_MAPPING])
def test_a_pretraining_checkpoint_is_taken(
    kind: str, heads: Any, made: Callable[[str], Path], copied: Callable[[str], Path]
) -> None:
    """Its head goes unused; the encoder's weights are the file's, each of them."""
    folder = copied(kind)
    base = encoders.make_base(kind, AutoTokenizer.from_pretrained(made(kind)))
    if type(base.config) not in heads:
        assert kind == "modernbert"  # pretrained as a masked language model, and as nothing else
        return
    whole: PreTrainedModel = heads[type(base.config)](base.config)
    whole.save_pretrained(folder)
    loaded = load_model(recipe(folder)).base_model.state_dict()
    written = whole.base_model.state_dict()
    assert written.keys() <= loaded.keys()
    assert all(torch.equal(loaded[name], tensor) for name, tensor in written.items())
    assert all(name.startswith("pooler.") for name in loaded.keys() - written.keys())


def edit(folder: Path, change: Callable[[dict[str, torch.Tensor]], object]) -> None:
    weights = load_file(folder / WEIGHTS)
    change(weights)
    save_file(weights, folder / WEIGHTS, {"format": "pt"})


def set_config(folder: Path, **fields: Any) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))


@pytest.mark.parametrize("kind", ENCODERS)
def test_an_encoder_that_lacks_a_weight_is_refused(
    kind: str, copied: Callable[[str], Path]
) -> None:
    """Saved alone, or within a model with a head."""
    folder = copied(kind)
    model = load_model(recipe(folder))
    for whole in (False, True):
        if whole:
            model.save_pretrained(folder)
        name = sorted(n for n in load_file(folder / WEIGHTS) if "embed" in n and "weight" in n)[0]
        edit(folder, lambda weights, name=name: weights.pop(name))
        says(
            refusal(lambda: load_model(recipe(folder))), str(folder), "lacks ", "encoder's weights"
        )


@pytest.mark.parametrize("kind", [kind for kind in ENCODERS if kind != "albert"])
def test_layers_without_a_place_are_refused(kind: str, copied: Callable[[str], Path]) -> None:
    """The encoder alone has no prefix; within a model with a head it has. ALBERT shares a layer."""
    folder = copied(kind)
    whole = load_model(recipe(folder))
    for saved in (None, whole):
        if saved is not None:
            saved.save_pretrained(folder)
        fewer: dict[str, Any] = {"n_layers" if kind == "distilbert" else "num_hidden_layers": 1}
        set_config(folder, **fewer, **({"layer_types": None} if kind == "modernbert" else {}))
        says(refusal(lambda: load_model(recipe(folder))), str(folder), "has no place for")


def test_a_pooler_is_new_as_a_whole_or_not_at_all(copied: Callable[[str], Path]) -> None:
    folder = copied("bert")
    edit(folder, lambda weights: weights.pop("pooler.dense.bias"))
    says(refusal(lambda: load_model(recipe(folder))), "lacks bert.pooler.dense.bias and 0 more")
    edit(folder, lambda weights: weights.pop("pooler.dense.weight"))
    load_model(recipe(folder))


@pytest.mark.parametrize("kind", ENCODERS)
def test_another_width_is_refused(kind: str, copied: Callable[[str], Path]) -> None:
    folder = copied(kind)
    set_config(folder, **{"hidden_dim" if kind == "distilbert" else "intermediate_size": 80})
    width = "160" if kind == "modernbert" else "80"  # two layers in one, of which one is a gate
    says(refusal(lambda: load_model(recipe(folder))), str(folder), WEIGHTS, width)


@pytest.mark.parametrize("kind", ENCODERS)
def test_a_head_of_another_number_of_labels_is_refused_at_once(
    kind: str, copied: Callable[[str], Path]
) -> None:
    """From the weights' header; and when it is loaded, where nobody has looked before."""
    folder = copied(kind)
    load_model(recipe(folder, task="mnli")).save_pretrained(folder)
    line = refusal(lambda: check_inputs(recipe(folder)))
    says(line, f"{folder / WEIGHTS}: classifier", "a head of 3 labels", "the task mrpc has 2")
    says(refusal(lambda: load_model(recipe(folder))), "classifier", "(3,", "the task's 2 labels")
    assert load_model(recipe(folder, task="mnli")).config.num_labels == 3


@pytest.mark.parametrize("kind", ENCODERS)
def test_code_of_its_own_is_refused_at_once(kind: str, copied: Callable[[str], Path]) -> None:
    """Also where the architecture is one that nobody has heard of."""
    folder = copied(kind)
    auto = {"AutoModelForSequenceClassification": "modeling_x.X"}
    for fields in ({}, {"model_type": "unheard-of"}):
        set_config(folder, auto_map=auto, **fields)
        says(refusal(lambda: check_inputs(recipe(folder))), "field auto_map", "isn't run")


def test_types_of_tokens_that_an_encoder_does_not_know_are_left_out(
    copied: Callable[[str], Path], small: Recipe
) -> None:
    """DistilBERT with BERT's own tokenizer, as many checkpoints have it."""
    folder = copied("distilbert")
    path = folder / "tokenizer_config.json"
    fields = json.loads(path.read_text()) | {"tokenizer_class": "BertTokenizer"}
    fields["model_input_names"] = ["input_ids", "token_type_ids", "attention_mask"]
    path.write_text(json.dumps(fields))
    assert "token_type_ids" in load_tokenizer(recipe(folder, small))("a", "b")
    data = load_data(recipe(folder, small))
    assert sorted(data.train.column_names) == ["attention_mask", "input_ids", "labels"]


def test_the_weights_are_those_that_transformers_loads(made: Callable[[str], Path]) -> None:
    for kind in ENCODERS:
        stock = AutoModelForSequenceClassification.from_pretrained(made(kind))
        ours = load_model(recipe(made(kind))).base_model.state_dict()
        theirs = stock.base_model.state_dict()
        assert all(torch.equal(ours[name], tensor) for name, tensor in theirs.items())


@pytest.mark.parametrize(
    ("fields", "parts"),
    [
        ({"rope_parameters": {"a": {"b": {"c": {"d": 1}}}}}, ["rope_parameters", "no sense"]),
        ({"local_attention": 1 << 40}, ["local_attention: 1099511627776"]),
        ({"layer_types": ["full_attention"] * 2000}, ["layer_types"]),
        ({"norm_bias": "perhaps"}, ["config.json: makes no modernbert", "norm_bias"]),
        ({"classifier_pooling": "x"}, ["config.json: makes no modernbert", "classifier_pooling"]),
        ({"num_hidden_layers": 257}, ["num_hidden_layers: 257", "at most 256"]),
    ],
)
def test_a_field_that_makes_no_sense(
    fields: dict[str, Any], parts: list[str], copied: Callable[[str], Path]
) -> None:
    folder = copied("modernbert")
    set_config(folder, **fields)
    says(refusal(lambda: load_model(recipe(folder))), str(folder), *parts)


def test_what_all_architectures_share_has_no_say(copied: Callable[[str], Path]) -> None:
    """Names of methods, numbers' types, outputs: a model is the same without."""
    folder = copied("roberta")
    before = load_model(recipe(folder))
    set_config(
        folder,
        to_dict=7,
        dtype="float16",
        torch_dtype="float16",
        output_hidden_states=True,
        return_dict=False,
        id2label={"0": "x"},
        _name_or_path="y",
        rope_scaling={"type": "linear", "factor": 2.0},
    )
    after = load_model(recipe(folder))
    assert after.dtype == torch.float32
    batch = {"input_ids": torch.tensor([[0, 9, 8, 2]])}
    assert torch.equal(before.eval()(**batch).logits, after.eval()(**batch).logits)
    assert after.eval()(**batch).hidden_states is None
