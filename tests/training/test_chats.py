"""What conversations teach: the assistant's words, without a look at another conversation."""

from __future__ import annotations

import torch
from tiny import Recorder, randomize, tiny_gpt

from yocto.config import FinetuneConfig
from yocto.dataset.batches import IGNORED
from yocto.dataset.packed import Conversations
from yocto.training.chats import ChatLessons
from yocto.training.loss import LanguageModelLoss

START = 25
TALKS = [
    ([START, 1, 2, 3, 4], [False, False, False, True, True]),
    ([START, 5, 6], [False, False, True]),
    ([START, 7, 8, 9], [False, True, True, False]),
]


def lessons(train: list = TALKS, val: list | None = None, **knobs) -> ChatLessons:
    config = FinetuneConfig(batch_size=2, **knobs)
    return ChatLessons(config, Conversations.of(train), Conversations.of(val or []), 9, 4, 8, START)


def model():
    made = tiny_gpt(block_size=8)
    randomize(made, torch.Generator().manual_seed(1))
    return made


def test_the_gradient_through_what_the_user_says_is_exactly_zero() -> None:
    gpt = model()
    idx, targets = lessons().batches().next()
    logits: list[torch.Tensor] = []
    gpt.lm_head.register_forward_hook(lambda module, inputs, out: logits.append(out))
    loss = LanguageModelLoss(gpt, START)(idx, targets)
    (gradient,) = torch.autograd.grad(loss, logits)
    gradient = gradient.view(*idx.shape, -1)
    heard = gradient.abs().sum(-1) > 0  # (B, T), where anything but zero comes back
    assert sorted(targets[heard].tolist()) == [3, 4, 6, 7, 8]  # what TALKS has as learnt, no more
    assert gradient[~heard].count_nonzero() == 0


def test_the_chunked_loss_ignores_the_user_too(monkeypatch) -> None:
    monkeypatch.setattr("yocto.training.cross_entropy.CPU_LOGITS", 26 * 3)
    gpt, batch = model(), lessons().batches().next()
    loss = LanguageModelLoss(gpt, START)(*batch)
    loss.backward()
    chunked = gpt.lm_head.weight.grad.clone()
    monkeypatch.undo()
    gpt.zero_grad()
    whole = LanguageModelLoss(gpt, START)(*batch)
    whole.backward()
    torch.testing.assert_close(loss, whole)
    torch.testing.assert_close(chunked, gpt.lm_head.weight.grad)


def test_a_conversation_learns_the_same_in_company_as_alone() -> None:
    gpt, source = model(), lessons().train
    start = lessons().document_start(Recorder())
    packed = LanguageModelLoss(gpt, start)(*source.fill([[0, 1]], 8, START))
    alone = [LanguageModelLoss(gpt, start)(*source.fill([[i]], 8, START)) for i in (0, 1)]
    torch.testing.assert_close(packed, (2 * alone[0] + alone[1]) / 3)  # of two targets, and of one


def test_the_evaluation_looks_at_the_conversations_set_aside_or_at_all() -> None:
    apart = lessons(val=TALKS[:1])
    assert apart.val_tokens == 2 and apart.measured_on is None
    assert apart.validation_batches() == 1
    together = lessons()
    assert together.val_tokens == together.train_tokens == 5
    assert together.measured_on == "the conversations that it learnt"
    ((idx, targets),) = apart.validation(None)
    assert idx[0, :4].tolist() == [START, 1, 2, 3]
    assert targets[0, :4].tolist() == [IGNORED, IGNORED, 3, 4]
    assert apart.sha256 != together.sha256 and len(apart.sha256) == 128
