"""Sound trainings whose batches, labels, padding or losses look odd, and are meant so."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.optim import SGD, Adam, AdamW
from transformers import GPT2Config, GPT2ForSequenceClassification

from tests.check.sound_runs import data, epochs, loop, mlp, sound


class OwnGpt(nn.Module):
    """Shifts its labels by itself, as those of a library do, and is of no library's class."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.places = nn.Embedding(40, 16), nn.Embedding(16, 16)
        self.layer = nn.TransformerEncoderLayer(16, 2, 32, dropout=0.1, batch_first=True)
        self.head = nn.Linear(16, 40)

    def forward(self, input_ids: Tensor, labels: Tensor) -> dict[str, Tensor]:
        length = input_ids.shape[1]
        mask = nn.Transformer.generate_square_subsequent_mask(length)
        hidden = self.words(input_ids) + self.places.weight[:length]
        logits = self.head(self.layer(hidden, src_mask=mask, is_causal=True))
        return {"loss": F.cross_entropy(logits[:, :-1].flatten(0, 1), labels[:, 1:].flatten())}


@sound
def an_own_language_model_that_shifts() -> None:
    torch.manual_seed(0)
    model = OwnGpt()
    optimizer = AdamW(model.parameters(), 1e-3)
    for _ in range(12):
        ids = torch.randint(1, 40, (4, 12))
        optimizer.zero_grad()
        model(ids, labels=ids)["loss"].backward()
        optimizer.step()


@sound
def an_own_language_model_with_padding_that_no_loss_counts() -> None:
    torch.manual_seed(0)
    model = OwnGpt()
    optimizer = AdamW(model.parameters(), 1e-3)
    for _ in range(12):
        ids = padded()
        optimizer.zero_grad()
        model(ids, labels=ids.masked_fill(ids == 0, -100))["loss"].backward()
        optimizer.step()


class Autoencoder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.down, self.up = nn.Linear(6, 2), nn.Linear(2, 6)

    def forward(self, x: Tensor, labels: Tensor) -> dict[str, Tensor]:
        return {"loss": F.mse_loss(self.up(torch.tanh(self.down(x))), labels)}


@sound
def an_autoencoder_whose_labels_are_its_inputs() -> None:
    model = Autoencoder()
    optimizer = Adam(model.parameters())
    for _, (x, _) in epochs(data()):
        optimizer.zero_grad()
        model(x, labels=x)["loss"].backward()
        optimizer.step()


def padded() -> Tensor:
    """Four rows of 8 ids, of which zeros end all but the first."""
    ids = torch.randint(1, 40, (4, 8))
    for row in range(4):
        ids[row, 8 - row :] = 0
    return ids


class Words(nn.Module):
    """The mean of the words that are no padding."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.head = nn.Embedding(40, 8, padding_idx=0), nn.Linear(8, 2)

    def forward(self, input_ids: Tensor) -> Tensor:
        return self.head(self.words(input_ids).sum(1) / (input_ids != 0).sum(1, keepdim=True))


class OwnMask(nn.Module):
    """Takes a mask, and makes one of the ids where it is given none."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.head = nn.Embedding(40, 16), nn.Linear(16, 2)
        self.layer = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True)

    def forward(self, input_ids: Tensor, attention_mask: Tensor | None = None) -> Tensor:
        out = input_ids == 0 if attention_mask is None else attention_mask == 0
        return self.head(self.layer(self.words(input_ids), src_key_padding_mask=out)[:, 0])


class Packed(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.words, self.head = nn.Embedding(40, 8), nn.Linear(8, 2)
        self.recurrent = nn.LSTM(8, 8, batch_first=True)

    def forward(self, input_ids: Tensor) -> Tensor:
        lengths = (input_ids != 0).sum(1)
        packed = nn.utils.rnn.pack_padded_sequence(
            self.words(input_ids), lengths, batch_first=True, enforce_sorted=False
        )
        return self.head(self.recurrent(packed)[1][0][-1])


class Convolved(nn.Module):
    """The largest of what a convolution finds: where rows end does nothing to speak of."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.head = nn.Embedding(40, 8), nn.Linear(8, 2)
        self.convolution = nn.Conv1d(8, 8, 3)

    def forward(self, input_ids: Tensor) -> Tensor:
        return self.head(self.convolution(self.words(input_ids).mT).amax(2))


def of_text(model: nn.Module, *, low: int = 1, words: int = 40) -> None:
    optimizer = Adam(model.parameters())
    for _ in range(12):
        ids = padded() if low else torch.randint(0, words, (8, 8))
        optimizer.zero_grad()
        F.cross_entropy(model(input_ids=ids), ids[:, 0] % 2).backward()
        optimizer.step()


@sound
def a_bag_of_words_with_padding() -> None:
    of_text(Words())


@sound
def a_transformer_that_makes_its_mask() -> None:
    of_text(OwnMask())


@sound
def a_recurrent_model_of_packed_rows() -> None:
    of_text(Packed())


@sound
def convolutions_over_padded_text() -> None:
    of_text(Convolved())


@sound
def ids_in_which_zero_is_a_word() -> None:
    of_text(Convolved(), low=0, words=3)


@sound
def a_causal_classifier_of_padded_rows() -> None:
    torch.manual_seed(0)
    config = GPT2Config(
        vocab_size=40, n_positions=16, n_embd=16, n_layer=1, n_head=2, pad_token_id=0
    )
    model = GPT2ForSequenceClassification(config).train()
    optimizer = Adam(model.parameters())
    for _ in range(12):
        ids = padded()
        optimizer.zero_grad()
        model(input_ids=ids, labels=ids[:, 0] % 2).loss.backward()
        optimizer.step()


@sound
def one_batch_learnt_by_heart() -> None:
    model, (x, y) = mlp(), next(iter(data()))
    optimizer = Adam(model.parameters(), 1e-2)
    for number in range(30):
        optimizer.zero_grad()
        F.cross_entropy(model.train()(x), y).backward()
        optimizer.step()
        if number % 10 == 9:
            with torch.no_grad():
                for rows, _ in data(seed=5):
                    model.eval()(rows)


@sound
def all_rows_in_one_batch_and_more_to_test() -> None:
    model, (x, y) = mlp(), next(iter(data(size=48)))
    optimizer = Adam(model.parameters())
    for _ in range(20):
        optimizer.zero_grad()
        F.cross_entropy(model.train()(x), y).backward()
        optimizer.step()
        with torch.no_grad():
            model.eval()(torch.randn(100, 6))


@sound
def hard_batches_twice() -> None:
    model, criterion = mlp(), nn.CrossEntropyLoss()
    optimizer = SGD(model.parameters(), 0.1)
    for _, (x, y) in epochs(data()):
        with torch.no_grad():
            times = 2 if float(criterion(model(x), y)) > 0.6 else 1
        for _ in range(times):
            optimizer.zero_grad()
            criterion(model(x), y).backward()
            optimizer.step()


@sound
def smoothed_labels() -> None:
    model = mlp()
    loop(model, AdamW(model.parameters()), loss_of=nn.CrossEntropyLoss(label_smoothing=0.1))


@sound
def classes_of_unequal_weight() -> None:
    model, weight = mlp(), torch.tensor([1.0, 30.0])
    loop(model, AdamW(model.parameters()), loss_of=nn.CrossEntropyLoss(weight=weight))


@sound
def contrast_of_two_views() -> None:
    model, criterion = mlp(out=8), nn.CrossEntropyLoss()
    optimizer = Adam(model.parameters())
    for _, (x, _) in epochs(data()):
        views = [x + 0.1 * torch.randn_like(x) for _ in range(2)]
        made = F.normalize(model(torch.cat(views)), dim=1)
        alike = (made @ made.T / 0.5).masked_fill(torch.eye(len(made), dtype=torch.bool), -1e9)
        optimizer.zero_grad()
        criterion(alike, torch.arange(len(made)).roll(len(x))).backward()
        optimizer.step()


@sound
def an_episode_for_each_step() -> None:
    torch.manual_seed(0)
    model = mlp()
    optimizer = Adam(model.parameters(), 1e-2)
    for _ in range(12):
        gains = []
        for _ in range(5):
            policy = torch.distributions.Categorical(logits=model(torch.randn(1, 6)))
            gains.append(policy.log_prob(policy.sample()) * torch.randn(1))
        optimizer.zero_grad()
        (-torch.cat(gains).sum()).backward()
        optimizer.step()


@sound
def rollouts_in_train_mode() -> None:
    torch.manual_seed(0)
    model = mlp(0.1)
    optimizer = Adam(model.parameters(), 1e-3)
    for _ in range(12):
        x = torch.randn(16, 6)
        with torch.no_grad():
            chosen = model(x).softmax(1).multinomial(1)
        optimizer.zero_grad()
        (model(x).log_softmax(1).gather(1, chosen)[:, 0] * torch.randn(16)).mean().backward()
        optimizer.step()
