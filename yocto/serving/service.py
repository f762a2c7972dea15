"""A model that is served: bodies become texts to be made."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

from yocto.api.language_model import LanguageModel
from yocto.chat.fitting import Fitted, fit
from yocto.chat.roles import Message
from yocto.config import SamplingConfig, ServeConfig
from yocto.errors import YoctoError
from yocto.sampling.request import Reframe, Request, make_generators
from yocto.serving.batcher import Batcher, Ticket
from yocto.serving.errors import Refused, refusal
from yocto.serving.metrics import Metrics
from yocto.serving.schemas import ChatBody, CompletionBody, Sampling
from yocto.serving.words import Words

MOST_READ = 256  # ids of prompts between two steps, so that the others' tokens come meanwhile
COMPLETION_TOKENS = 16  # OpenAI's default
T = TypeVar("T")


@dataclass(frozen=True)
class Order:
    """A request as the batcher takes it. prompt_tokens: of each prompt once. echoes: what stands
    before each text. told: how many alternatives of each token are told, None for no logprobs.
    strips: whether a text's first white space is left out."""

    jobs: list[tuple[Request, Sequence[str]]]
    prompt_tokens: int
    echoes: list[str]
    told: int | None
    strips: bool = False


@dataclass
class Service:
    """What the routes share: the model with its name, its batcher and its figures."""

    lm: LanguageModel
    name: str
    config: ServeConfig
    facts: dict[str, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.created = int(time.time())
        self.words, self.metrics = Words(self.lm.tokenizer), Metrics()
        self.batcher = Batcher(
            partial(self.lm.running, self.config.slots, MOST_READ),
            self.config.slots, self.config.queue, self.metrics,
        )  # fmt: skip
        # One thread reads what clients send, so that a long text holds nobody's tokens up.
        self._reader = ThreadPoolExecutor(1, "yocto-reader")

    def close(self) -> None:
        """End the threads."""
        self.batcher.stop()
        self._reader.shutdown()

    async def read(self, function: Callable[[], T]) -> T:
        """Do something with a client's text."""
        return await asyncio.get_running_loop().run_in_executor(self._reader, function)

    def submit(self, order: Order) -> Ticket:
        """Let an order's texts be made. Raises Refused where there is no place for them."""
        ticket = self.batcher.submit(order.jobs)
        self.metrics.prompt_tokens += order.prompt_tokens
        return ticket

    # ----------------------------------------------------------------------------------- orders

    def completion(self, body: CompletionBody) -> Order:
        """The order of POST /v1/completions."""
        self._check_model(body)
        most = self._most(body.max_tokens, COMPLETION_TOKENS, "max_tokens")
        if body.echo and body.logprobs is not None:
            raise Refused(400, "echo does not go with logprobs on this server", "echo")
        prompts = self._prompts(body)
        jobs = self._jobs(body, prompts, body.sampling(most), body.logprobs)
        echoes = [self._shown(body, ids) if body.echo else "" for ids in prompts]
        each = [echo for echo in echoes for _ in range(body.choices)]
        return Order(jobs, sum(map(len, prompts)), each, body.logprobs)

    def chat(self, body: ChatBody) -> Order:
        """The order of POST /v1/chat/completions."""
        self._check_model(body)
        limit = max(1, self.lm.block_size * 2 // 3)  # what a chat is shown, as yocto chat has it
        messages = [_message(role=m.role, text=m.text) for m in body.messages]
        begun = messages.pop().text if body.continue_final_message else ""
        try:
            template = self.lm.template
            if ending := next((stop for stop in template.stop if stop in begun), None):
                raise Refused(
                    400, f"the last message holds {ending!r}, which ends an answer", "messages"
                )
            fitted = fit(template, messages, limit)
            reframing = Reframing(
                fitted, self.lm.block_size * 3 // 4,
                self.lm.tokenizer.encode(begun, allowed_special="none"),
            )  # fmt: skip
        except YoctoError as error:
            raise refusal(error, "messages") from error
        if len(fitted.ids) > limit:
            raise Refused(
                400,
                f"the last message is {len(fitted.ids)} tokens long with what surrounds it, and "
                f"the model is shown at most {limit} of a conversation",
                "messages", "context_length_exceeded",
            )  # fmt: skip
        ids = self._begun(fitted, reframing)
        room = max(1, self.lm.block_size - len(ids) + 1)
        name = "max_tokens" if body.max_tokens else "max_completion_tokens"
        most = self._most(body.most_tokens, min(room, self.config.max_tokens), name)
        told = (body.top_logprobs or 0) if body.logprobs else None
        jobs = self._jobs(
            body, [ids], body.sampling(most), told, template.stop, template.end_ids, reframing
        )
        return Order(jobs, len(ids), [""] * len(jobs), told, strips=not begun)

    def _begun(self, fitted: Fitted, reframing: Reframing) -> list[int]:
        """What the model goes on from: a conversation, and perhaps an answer's beginning."""
        ids: list[int] | None = [*fitted.ids, *reframing.begun]
        if ids and len(ids) <= self.lm.block_size:
            return ids
        if (ids := reframing([])) is None:
            raise Refused(
                400, f"the last message has {len(reframing.begun)} tokens, too many to go on from",
                "messages", "context_length_exceeded",
            )  # fmt: skip
        return ids

    def tokens(self, text: str) -> list[dict[str, object]]:
        """A text's tokens, special ones taken as text."""
        try:
            return self.words.all(self.lm.tokenizer.encode(text, allowed_special="none"))
        except YoctoError as error:
            raise refusal(error, "text") from error

    def check_model(self, name: str) -> None:
        """Raise Refused for a model that is not this one."""
        if name != self.name:
            raise Refused(
                404, f"there is no model {name[:200]!r} here, only {self.name!r}", "model",
                "model_not_found",
            )  # fmt: skip

    def _check_model(self, body: Sampling) -> None:
        self.check_model(body.model)

    def _most(self, asked: int | None, default: int, param: str) -> int:
        if asked is not None and asked > self.config.max_tokens:
            limit = self.config.max_tokens
            raise Refused(400, f"{param} is {asked}, but this server makes at most {limit}", param)
        return default if asked is None else asked

    def _prompts(self, body: CompletionBody) -> list[list[int]]:
        given = body.prompt
        several = [given] if isinstance(given, str) or isinstance(given[0], int) else given
        if len(several) * body.choices > (most := self.config.slots + self.config.queue):
            raise Refused(
                400, f"{len(several) * body.choices} texts in one request; there may be {most}",
                "n" if len(several) == 1 else "prompt",
            )  # fmt: skip
        return [self._ids(prompt) for prompt in several]

    def _ids(self, prompt: str | list[int]) -> list[int]:
        if isinstance(prompt, str):
            try:
                ids = self.lm.prompt_ids(prompt)
            except YoctoError as error:
                raise refusal(error, "prompt") from error
        else:
            ids = prompt
            if (wrong := max(ids)) >= self.lm.tokenizer.vocab_size:
                raise Refused(400, f"the model has no token {wrong}", "prompt")
        if len(ids) > self.lm.block_size:
            raise Refused(
                400,
                f"the prompt is {len(ids)} tokens long, and the model sees at most "
                f"{self.lm.block_size}",
                "prompt", "context_length_exceeded",
            )  # fmt: skip
        return ids

    def _shown(self, body: CompletionBody, ids: list[int]) -> str:
        if isinstance(body.prompt, str):
            return body.prompt
        return self.lm.tokenizer.decode(ids)

    def _jobs(
        self, body: Sampling, prompts: Sequence[list[int]], config: SamplingConfig,
        told: int | None, stops: Sequence[str] = (), end_ids: frozenset[int] | None = None,
        reframe: Reframe | None = None,
    ) -> list[tuple[Request, Sequence[str]]]:  # fmt: skip
        try:
            self.lm.check_biases(config)
        except YoctoError as error:
            raise refusal(error, "logit_bias") from error
        generators = iter(make_generators(config.seed, len(prompts) * body.choices))
        return [
            (
                self.lm.request(ids, config, end_ids, told, next(generators), reframe),
                (*config.stop, *stops),
            )
            for ids in prompts
            for _ in range(body.choices)
        ]


class Reframing:
    """What the model is shown of a conversation once an answer has filled its context. size: most
    ids with the answer so far. begun: what the answer began with before the model went on."""

    def __init__(self, fitted: Fitted, size: int, begun: list[int]) -> None:
        self._fitted, self._size, self.begun = fitted, size, begun

    def __call__(self, answer: list[int]) -> list[int] | None:
        """As Request has it."""
        whole = [*self.begun, *answer]
        shorter = self._fitted.reframed(whole, self._size)
        return None if shorter is None else [*shorter.ids, *whole]


def _message(role: str, text: str) -> Message:
    return Message("system" if role == "developer" else role, text)  # type: ignore[arg-type]
