"""Trainings in which nothing is wrong, of as many kinds as people write; each takes a moment."""

import copy
from collections.abc import Callable, Iterator
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import SGD, Adam, AdamW, lr_scheduler
from torch.optim.swa_utils import AveragedModel, update_bn
from torch.utils.data import DataLoader, TensorDataset
from transformers import (
    BertConfig,
    BertForMaskedLM,
    BertForTokenClassification,
    GPT2Config,
    GPT2LMHeadModel,
    T5Config,
    T5ForConditionalGeneration,
    get_cosine_schedule_with_warmup,
    get_linear_schedule_with_warmup,
)

from tests.check.bert_loop import train as bert

EPOCHS = 4
SOUND: dict[str, Callable[[], object]] = {"BERT": bert}
SMALL = {"vocab_size": 40, "intermediate_size": 16, "max_position_embeddings": 16}
SMALL |= {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}


def sound(train: Callable[[], object]) -> Callable[[], object]:
    """One of them, by its function's name."""
    SOUND[train.__name__.replace("_", " ")] = train
    return train


def data(rows: int = 48, *, shuffle: bool = True, size: int = 8, seed: int = 0) -> DataLoader:
    torch.manual_seed(seed)
    x = torch.randn(rows, 6)
    return DataLoader(TensorDataset(x, (x.sum(1) > 0).long()), size, shuffle=shuffle)


def mlp(dropout: float = 0.0, out: int = 2) -> nn.Sequential:
    return nn.Sequential(nn.Linear(6, 16), nn.Tanh(), nn.Dropout(dropout), nn.Linear(16, out))


def epochs(loader: DataLoader) -> Iterator[tuple[int, Any]]:
    for epoch in range(EPOCHS):
        for batch in loader:
            yield epoch, batch


def loop(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    *,
    each_step: Callable[[], object] = lambda: None,
    each_epoch: Callable[[], object] = lambda: None,
    loss_of: Any = F.cross_entropy,
    seed: int = 0,
) -> None:
    loader = data(seed=seed)
    for _ in range(EPOCHS):
        model.train()
        for x, y in loader:
            loss = loss_of(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            each_step()
        each_epoch()


@sound
def sgd_without_schedule() -> None:
    model = mlp()
    loop(model, SGD(model.parameters(), 0.1))


@sound
def nesterov_and_a_rate_by_epochs() -> None:
    model = mlp(0.1)
    optimizer = SGD(model.parameters(), 0.1, momentum=0.9, nesterov=True, weight_decay=5e-4)
    loop(model, optimizer, each_epoch=lr_scheduler.StepLR(optimizer, 2).step)


@sound
def adam_and_a_loss_module() -> None:
    model = mlp()
    loop(model, Adam(model.parameters()), loss_of=nn.CrossEntropyLoss())


@sound
def adamw_as_it_comes() -> None:
    model = mlp(0.2)
    loop(model, AdamW(model.parameters()))


@sound
def rmsprop() -> None:
    model = mlp()
    loop(model, torch.optim.RMSprop(model.parameters(), 1e-3))


@sound
def adagrad() -> None:
    model = mlp()
    loop(model, torch.optim.Adagrad(model.parameters(), 0.1))


@sound
def adafactor() -> None:
    model = mlp()
    loop(model, torch.optim.Adafactor(model.parameters(), 0.01))


@sound
def nadam_and_exponential_decay() -> None:
    model = mlp()
    optimizer = torch.optim.NAdam(model.parameters(), 0.01)
    loop(model, optimizer, each_epoch=lr_scheduler.ExponentialLR(optimizer, 0.9).step)


@sound
def lbfgs_on_all_rows() -> None:
    loader = data(size=48)
    x, y = next(iter(loader))
    model = mlp()
    optimizer = torch.optim.LBFGS(model.parameters(), lr=0.5, max_iter=3)

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        return loss

    for _ in range(12):
        optimizer.step(closure)


@sound
def sparse_embeddings_with_two_optimizers() -> None:
    torch.manual_seed(0)
    table, head = nn.EmbeddingBag(30, 8, sparse=True), nn.Linear(8, 2)
    optimizers = torch.optim.SparseAdam(table.parameters()), Adam(head.parameters())
    for _ in range(15):
        ids, y = torch.randint(0, 30, (8, 5)), torch.randint(0, 2, (8,))
        loss = F.cross_entropy(head(table(ids)), y)
        for optimizer in optimizers:
            optimizer.zero_grad()
        loss.backward()
        for optimizer in optimizers:
            optimizer.step()


@sound
def linear_schedule_with_warmup() -> None:
    model = mlp(0.1)
    optimizer = AdamW(model.parameters(), 1e-2)
    loop(model, optimizer, each_step=get_linear_schedule_with_warmup(optimizer, 4, 24).step)


@sound
def cosine_schedule_with_warmup() -> None:
    model = mlp(0.1)
    optimizer = AdamW(model.parameters(), 1e-2)
    loop(model, optimizer, each_step=get_cosine_schedule_with_warmup(optimizer, 4, 24).step)


@sound
def one_cycle() -> None:
    model = mlp()
    optimizer = SGD(model.parameters(), 0.1, momentum=0.9)
    loop(model, optimizer, each_step=lr_scheduler.OneCycleLR(optimizer, 0.1, total_steps=24).step)


@sound
def cosine_each_epoch() -> None:
    model = mlp()
    optimizer = SGD(model.parameters(), 0.1)
    loop(model, optimizer, each_epoch=lr_scheduler.CosineAnnealingLR(optimizer, EPOCHS).step)


@sound
def warm_restarts() -> None:
    model = mlp()
    optimizer = SGD(model.parameters(), 0.1)
    schedule = lr_scheduler.CosineAnnealingWarmRestarts(optimizer, 6)
    loop(model, optimizer, each_step=schedule.step)


@sound
def rate_on_a_plateau() -> None:
    model = mlp()
    optimizer = SGD(model.parameters(), 0.1)
    schedule = lr_scheduler.ReduceLROnPlateau(optimizer, patience=0)
    loop(model, optimizer, each_epoch=lambda: schedule.step(1.0))


@sound
def two_schedules_in_sequence() -> None:
    model = mlp()
    optimizer = SGD(model.parameters(), 0.1)
    warmup = lr_scheduler.LinearLR(optimizer, 0.1, total_iters=4)
    rest = lr_scheduler.CosineAnnealingLR(optimizer, 20)
    schedule = lr_scheduler.SequentialLR(optimizer, [warmup, rest], [4])
    loop(model, optimizer, each_step=schedule.step)


@sound
def constant_schedule() -> None:
    model = mlp()
    optimizer = AdamW(model.parameters())
    loop(model, optimizer, each_step=lr_scheduler.ConstantLR(optimizer, 1.0, 1).step)


@sound
def accumulated_batches_divided() -> None:
    model, loader, criterion = mlp(), data(64), nn.CrossEntropyLoss()
    optimizer = AdamW(model.parameters())
    for number, (_, (x, y)) in enumerate(epochs(loader), 1):
        (criterion(model(x), y) / 4).backward()
        if number % 4 == 0:
            optimizer.step()
            optimizer.zero_grad()


@sound
def accumulated_batches_by_their_rows() -> None:
    model, loader, criterion = mlp(), data(44), nn.CrossEntropyLoss()
    optimizer = SGD(model.parameters(), 0.1)
    for _ in range(EPOCHS):
        batches = list(loader)
        for at in range(0, len(batches), 2):
            window = batches[at : at + 2]
            rows = sum(len(y) for _, y in window)
            for x, y in window:
                (criterion(model(x), y) * len(y) / rows).backward()
            optimizer.step()
            optimizer.zero_grad()


@sound
def gan() -> None:
    torch.manual_seed(0)
    maker, critic = nn.Linear(4, 6), mlp(out=1)
    makes, judges = (Adam(m.parameters(), 2e-3, betas=(0.5, 0.999)) for m in (maker, critic))
    criterion = nn.BCEWithLogitsLoss()
    for _ in range(12):
        critic.zero_grad()
        criterion(critic(torch.randn(8, 6) + 1), torch.ones(8, 1)).backward()
        fake = maker(torch.randn(8, 4))
        criterion(critic(fake.detach()), torch.zeros(8, 1)).backward()
        judges.step()
        maker.zero_grad()
        criterion(critic(fake), torch.ones(8, 1)).backward()
        makes.step()


@sound
def wasserstein_gan_with_clamped_weights() -> None:
    torch.manual_seed(0)
    maker, critic = nn.Linear(4, 6), mlp(out=1)
    makes = torch.optim.RMSprop(maker.parameters(), 5e-5)
    judges = torch.optim.RMSprop(critic.parameters(), 5e-5)
    for number in range(12):
        judges.zero_grad()
        with torch.no_grad():
            fake = maker(torch.randn(8, 4))
        (critic(fake).mean() - critic(torch.randn(8, 6) + 1).mean()).backward()
        judges.step()
        with torch.no_grad():
            for weight in critic.parameters():
                weight.clamp_(-0.01, 0.01)
        if number % 3 == 2:
            makes.zero_grad()
            (-critic(maker(torch.randn(8, 4))).mean()).backward()
            makes.step()


class Lora(nn.Module):
    """A frozen linear layer and a small one beside it, whose second half begins at zero."""

    def __init__(self) -> None:
        super().__init__()
        self.base = nn.Linear(6, 16).requires_grad_(False)
        self.down, self.up = nn.Linear(6, 2, bias=False), nn.Linear(2, 16, bias=False)
        nn.init.zeros_(self.up.weight)
        self.head = nn.Linear(16, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(torch.tanh(self.base(x) + self.up(self.down(x))))


@sound
def lora() -> None:
    model = Lora()
    loop(model, AdamW([p for p in model.parameters() if p.requires_grad], 1e-2))


@sound
def frozen_first_half() -> None:
    model = mlp(0.1)
    model[0].requires_grad_(False)
    loop(model, Adam([p for p in model.parameters() if p.requires_grad]))


def convolutions() -> nn.Sequential:
    first = nn.Sequential(nn.Conv1d(1, 4, 3), nn.BatchNorm1d(4), nn.ReLU())
    return nn.Sequential(nn.Unflatten(1, (1, 6)), first, nn.Flatten(), nn.Linear(16, 2))


@sound
def batch_normalisation() -> None:
    model = convolutions()
    loop(model, SGD(model.parameters(), 0.1, momentum=0.9, weight_decay=1e-4))


@sound
def frozen_batch_normalisation_in_eval_mode() -> None:
    model = convolutions()
    model[1].requires_grad_(False)
    optimizer = SGD(model[3].parameters(), 0.1)
    for _, (x, y) in epochs(data()):
        model.train()
        model[1].eval()
        optimizer.zero_grad()
        F.cross_entropy(model(x), y).backward()
        optimizer.step()


@sound
def resumed_with_all_of_its_state() -> None:
    def made() -> tuple[Any, Any, Any]:
        model = mlp(0.1)
        optimizer = AdamW(model.parameters(), 1e-2)
        return model, optimizer, get_linear_schedule_with_warmup(optimizer, 0, 48)

    first = made()
    loop(first[0], first[1], each_step=first[2].step)
    second = made()
    for old, new in zip(first, second, strict=True):
        new.load_state_dict(copy.deepcopy(old.state_dict()))
    loop(second[0], second[1], each_step=second[2].step, seed=1)


@sound
def evaluated_after_each_epoch() -> None:
    model, held_out = mlp(0.3), torch.randn(32, 6)

    def evaluate() -> None:
        model.eval()
        with torch.no_grad():
            model(held_out)

    loop(model, AdamW(model.parameters()), each_epoch=evaluate)


@sound
def evaluated_before_it_trains() -> None:
    model, held_out = mlp(0.3), torch.randn(32, 6)
    with torch.no_grad():
        model.eval()(held_out)
    loop(model, AdamW(model.parameters()))


@sound
def bfloat16() -> None:
    model = mlp(0.1)
    optimizer = AdamW(model.parameters())
    for _, (x, y) in epochs(data()):
        with torch.autocast("cpu", torch.bfloat16):
            loss = F.cross_entropy(model(x), y)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()


@sound
def an_average_that_is_evaluated() -> None:
    model = mlp(0.1)
    average = copy.deepcopy(model).requires_grad_(False).eval()

    def follow() -> None:
        with torch.no_grad():
            for mean, own in zip(average.parameters(), model.parameters(), strict=True):
                mean.lerp_(own, 0.1)

    held_out = torch.randn(32, 6)
    loop(model, Adam(model.parameters()), each_step=follow, each_epoch=lambda: average(held_out))


@sound
def averaged_at_the_end_with_new_statistics() -> None:
    model = convolutions()
    average = AveragedModel(model)
    loop(
        model,
        SGD(model.parameters(), 0.05),
        each_epoch=lambda: average.update_parameters(model),
    )
    update_bn(data(), average)


@sound
def teacher_and_student() -> None:
    teacher, student = mlp(0.1).eval(), mlp(0.1)
    optimizer = Adam(student.parameters())
    for _, (x, _) in epochs(data()):
        with torch.no_grad():
            soft = teacher(x).softmax(-1)
        loss = F.kl_div(student(x).log_softmax(-1), soft, reduction="batchmean")
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


class Vae(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.encode, self.decode = nn.Linear(6, 4), nn.Linear(2, 6)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        mean, log_variance = self.encode(x).chunk(2, 1)
        z = mean + torch.randn_like(mean) * (log_variance / 2).exp()
        return self.decode(z), mean, log_variance


@sound
def variational_autoencoder() -> None:
    model = Vae()
    optimizer = Adam(model.parameters(), 1e-3)
    for _, (x, _) in epochs(data()):
        made, mean, log_variance = model(x)
        apart = (mean.square() + log_variance.exp() - 1 - log_variance).sum() / 2
        optimizer.zero_grad()
        (F.mse_loss(made, x, reduction="sum") + apart).backward()
        optimizer.step()


@sound
def causal_language_model() -> None:
    torch.manual_seed(0)
    model = GPT2LMHeadModel(
        GPT2Config(vocab_size=40, n_positions=16, n_embd=16, n_layer=1, n_head=2)
    )
    optimizer = AdamW(model.parameters(), 1e-3)
    for _ in range(12):
        ids = torch.randint(0, 40, (4, 12))
        model(input_ids=ids, labels=ids).loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()


@sound
def masked_language_model() -> None:
    torch.manual_seed(0)
    config = BertConfig(**SMALL)
    model = BertForMaskedLM(config).train()
    optimizer = AdamW(model.parameters(), 1e-3)
    for _ in range(12):
        ids = torch.randint(5, 40, (4, 12))
        masked = torch.rand(4, 12) < 0.3
        masked[:, 0] = True
        labels = ids.masked_fill(~masked, -100)
        given = ids.masked_fill(masked, 4)
        model(input_ids=given, attention_mask=torch.ones_like(ids), labels=labels).loss.backward()
        optimizer.step()
        optimizer.zero_grad()


@sound
def token_classification() -> None:
    torch.manual_seed(0)
    config = BertConfig(**SMALL)
    model = BertForTokenClassification(config).train()
    optimizer = AdamW(model.parameters(), 1e-3)
    for _ in range(12):
        ids = torch.randint(5, 40, (4, 12))
        labels = (ids % 2).masked_fill(torch.arange(12) == 0, -100)
        model(input_ids=ids, attention_mask=torch.ones_like(ids), labels=labels).loss.backward()
        optimizer.step()
        optimizer.zero_grad()


@sound
def translation() -> None:
    torch.manual_seed(0)
    config = T5Config(
        vocab_size=40,
        d_model=16,
        d_kv=8,
        d_ff=16,
        num_layers=1,
        num_heads=2,
        decoder_start_token_id=0,
    )
    model = T5ForConditionalGeneration(config).train()
    optimizer = AdamW(model.parameters(), 1e-3)
    for _ in range(12):
        ids = torch.randint(2, 40, (4, 10))
        model(input_ids=ids, attention_mask=torch.ones_like(ids), labels=ids).loss.backward()
        optimizer.step()
        optimizer.zero_grad()


@sound
def two_views_of_each_row() -> None:
    model = mlp(0.2, out=8)
    optimizer = Adam(model.parameters())
    for _, (x, _) in epochs(data()):
        one, other = F.normalize(model(x)), F.normalize(model(x + 0.1 * torch.randn_like(x)))
        loss = F.cross_entropy(one @ other.T / 0.1, torch.arange(len(x)))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


@sound
def two_passes_with_other_dropout() -> None:
    model = mlp(0.3)
    optimizer = Adam(model.parameters())
    criterion = nn.CrossEntropyLoss()
    for _, (x, y) in epochs(data()):
        one, other = model(x), model(x)
        apart = (one - other).square().mean()
        optimizer.zero_grad()
        (criterion(one, y) + criterion(other, y) + apart).backward()
        optimizer.step()


@sound
def each_batch_twice_as_in_ppo() -> None:
    model = mlp()
    optimizer = Adam(model.parameters())
    for _, (x, y) in epochs(data()):
        for _ in range(2):
            loss = -(model(x).log_softmax(-1)[torch.arange(len(y)), y]).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()


@sound
def actor_and_critic() -> None:
    torch.manual_seed(0)
    actor, critic = mlp(), mlp(out=1)
    acts, values = Adam(actor.parameters(), 1e-3), Adam(critic.parameters(), 1e-3)
    for _ in range(12):
        x = torch.randn(8, 6)
        worth = critic(x)[:, 0]
        gain = torch.randn(8) - worth.detach()
        chosen = actor(x).log_softmax(-1)[:, 0]
        acts.zero_grad()
        values.zero_grad()
        (-(chosen * gain).mean() + (worth - gain).square().mean()).backward()
        acts.step()
        values.step()


@sound
def sharpness_aware() -> None:
    model = mlp()
    optimizer = SGD(model.parameters(), 0.1)
    for _, (x, y) in epochs(data()):
        F.cross_entropy(model(x), y).backward()
        moved = [(p, 0.05 * p.grad) for p in model.parameters() if p.grad is not None]
        with torch.no_grad():
            for p, by in moved:
                p.add_(by)
        optimizer.zero_grad()
        F.cross_entropy(model(x), y).backward()
        with torch.no_grad():
            for p, by in moved:
                p.sub_(by)
        optimizer.step()
        optimizer.zero_grad()


@sound
def preferences_with_a_reference() -> None:
    torch.manual_seed(0)
    policy = mlp(0.1).eval()  # dropout is off on purpose
    reference = copy.deepcopy(policy).requires_grad_(False)
    optimizer = AdamW(policy.parameters(), 1e-3)
    for _ in range(12):
        x = torch.randn(8, 6)
        with torch.no_grad():
            before = reference(x).log_softmax(-1)
        gain = policy(x).log_softmax(-1) - before
        (-F.logsigmoid(gain[:, 0] - gain[:, 1]).mean()).backward()
        optimizer.step()
        optimizer.zero_grad()


@sound
def in_eval_mode_without_dropout() -> None:
    model = mlp().eval()
    optimizer = SGD(model.parameters(), 0.1)
    for _, (x, y) in epochs(data()):
        optimizer.zero_grad()
        F.cross_entropy(model(x), y).backward()
        optimizer.step()


@sound
def all_rows_in_one_batch() -> None:
    x, y = next(iter(data(size=48)))
    model = mlp()
    optimizer = SGD(model.parameters(), 0.5)
    for _ in range(15):
        optimizer.zero_grad()
        F.cross_entropy(model(x), y).backward()
        optimizer.step()


@sound
def zeroed_after_the_forward_pass_and_to_zeros() -> None:
    model = mlp()
    optimizer = SGD(model.parameters(), 0.1)
    for _, (x, y) in epochs(data()):
        loss = F.cross_entropy(model(x), y)
        optimizer.zero_grad(set_to_none=False)
        loss.backward()
        optimizer.step()


@sound
def rates_by_layer_and_no_decay_on_biases() -> None:
    model = mlp()
    named = list(model.named_parameters())
    made = [
        {"params": [p], "lr": 1e-3 * (i + 1), "weight_decay": 0.0 if n.endswith("bias") else 0.1}
        for i, (n, p) in enumerate(named)
    ]
    loop(model, AdamW(made))


@sound
def rows_in_their_own_order() -> None:
    model = mlp()
    optimizer = SGD(model.parameters(), 0.1)
    for _, (x, y) in epochs(data(shuffle=False)):
        optimizer.zero_grad()
        F.cross_entropy(model(x), y).backward()
        optimizer.step()


@sound
def clipped_by_value() -> None:
    model = mlp()
    optimizer = SGD(model.parameters(), 0.1)
    for _, (x, y) in epochs(data()):
        optimizer.zero_grad()
        F.cross_entropy(model(x), y).backward()
        nn.utils.clip_grad_value_(model.parameters(), 0.01)
        optimizer.step()


@sound
def a_scaled_loss() -> None:
    model = mlp()
    optimizer = SGD(model.parameters(), 0.1)
    scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
    for _, (x, y) in epochs(data()):
        optimizer.zero_grad()
        scaler.scale(nn.CrossEntropyLoss()(model(x), y)).backward()
        scaler.unscale_(optimizer)
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        scaler.step(optimizer)
        scaler.update()


@sound
def a_recurrent_model() -> None:
    torch.manual_seed(0)
    model = nn.LSTM(3, 8, batch_first=True)
    head = nn.Linear(8, 1)
    both = nn.ModuleList([model, head])
    optimizer = AdamW(both.parameters(), 1e-2)
    for _ in range(15):
        x = torch.randn(8, 5, 3)
        h, _ = model(x)
        loss = F.mse_loss(head(h[:, -1])[:, 0], x.sum((1, 2)))
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(both.parameters(), 1.0)
        optimizer.step()


@sound
def an_image_through_a_frozen_model() -> None:
    torch.manual_seed(0)
    model, image = convolutions().eval().requires_grad_(False), torch.randn(4, 6)
    image.requires_grad_(True)
    optimizer = Adam([image], 0.1)
    for _ in range(12):
        optimizer.zero_grad()
        F.cross_entropy(model(image), torch.ones(4).long()).backward()
        optimizer.step()


@sound
def a_scale_that_is_too_large_at_first() -> None:
    model = mlp()
    optimizer = SGD(model.parameters(), 0.1)
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**127, growth_interval=4)
    for _, (x, y) in epochs(data()):
        optimizer.zero_grad()
        scaler.scale(nn.CrossEntropyLoss()(model(x), y) * 8).backward()
        scaler.step(optimizer)
        scaler.update()


@sound
def two_stages_with_an_optimizer_each() -> None:
    encoder, head = mlp(out=6), mlp()
    first, second = SGD(encoder.parameters(), 0.1), SGD(head.parameters(), 0.1)
    for epoch, (x, y) in epochs(data()):
        if epoch < 2:
            loss = (encoder(x) - x).square().mean()
        else:
            with torch.no_grad():
                x = encoder(x)
            loss = F.cross_entropy(head(x), y)
        first.zero_grad()
        second.zero_grad()
        loss.backward()
        (first if epoch < 2 else second).step()


@sound
def biases_spared_and_norms_decayed() -> None:
    model = nn.Sequential(nn.Linear(6, 16), nn.LayerNorm(16), nn.Tanh(), nn.Linear(16, 2))
    named = list(model.named_parameters())
    spared = [p for n, p in named if n.endswith("bias")]
    rest = [p for n, p in named if not n.endswith("bias")]
    loop(model, AdamW([{"params": rest}, {"params": spared, "weight_decay": 0.0}]))


@sound
def two_tasks_with_a_loss_each() -> None:
    torch.manual_seed(0)
    body, one, other = mlp(out=8), nn.Linear(8, 2), nn.Linear(8, 1)
    model = nn.ModuleList([body, one, other])
    optimizer = AdamW(model.parameters())
    for _, (x, y) in epochs(data()):
        optimizer.zero_grad()
        F.cross_entropy(one(body(x)), y).backward()
        F.mse_loss(other(body(torch.randn(8, 6)))[:, 0], torch.ones(8)).backward()
        optimizer.step()
