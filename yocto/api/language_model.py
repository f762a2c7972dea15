"""A trained model in one hand with its tokenizer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from itertools import repeat
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, overload

import numpy as np
import torch
import torch.nn.functional as F

from yocto.api.completion import Completions
from yocto.chat.roles import END
from yocto.checkpoint import Checkpoint, find_checkpoint
from yocto.checkpoint.chat_template import TemplateFile
from yocto.config import SamplingConfig
from yocto.dataset.batches import eval_batches
from yocto.errors import ConfigError, TokenizerError
from yocto.model.gpt import GPT
from yocto.model.linear import for_generation
from yocto.sampling.engine import Engine
from yocto.sampling.generate import MOST_TEXTS, Generation
from yocto.sampling.request import Reframe, Request, make_generators
from yocto.tokenizer.base import BaseTokenizer
from yocto.utils.device import pick_device
from yocto.utils.progress import Progress, default_progress

if TYPE_CHECKING:
    from yocto.api.chat import Chat
    from yocto.api.running import Running
    from yocto.chat.template import Template


def load(
    path: str | Path, device: str = "auto", quantize: Literal["none", "int8"] = "none"
) -> LanguageModel:
    """Open a trained model: a run's folder (its best step), a step's folder, or the name of a run
    under checkpoints/. quantize: "int8" keeps the weights in one byte each. Raises
    CheckpointError."""
    path = find_checkpoint(str(path), Path("checkpoints"))
    return LanguageModel.open(path, device, quantize)


class LanguageModel:
    """A trained GPT with its tokenizer.

    documents: how many the model learnt from; with one, it never saw an end token. chat_template:
    how the model wants conversations written, where its checkpoint says so; of one that was opened
    it is read when it is first needed. end_ids: more ids that end a text. start_ids: those that
    each text begins with.
    """

    def __init__(
        self,
        model: GPT,
        tokenizer: BaseTokenizer,
        documents: int = 1,
        chat_template: TemplateFile | None = None,
        end_ids: Iterable[int] = (),
        start_ids: Sequence[int] = (),
    ) -> None:
        self.model = model
        self.tokenizer = tokenizer
        self.documents = documents
        self.chat_template = chat_template
        self._checkpoint: Checkpoint | None = None
        self._special = frozenset(tokenizer.special_tokens.values())
        # A document, or the turn of a fine-tuned model.
        ends = (tokenizer.end_id, tokenizer.special_tokens.get(END), *end_ids)
        self._start_ids = list(start_ids)
        self._end_ids = frozenset(id_ for id_ in ends if id_ is not None)

    @classmethod
    def open(
        cls,
        path: Path,
        device: str = "auto",
        quantize: Literal["none", "int8"] = "none",
        progress: Progress | None = None,
        tokens: int = 1000,
    ) -> LanguageModel:
        """Open a checkpoint's folder, to generate with the model. Raises CheckpointError.

        quantize, tokens: as for_generation has them.
        """
        if quantize not in ("none", "int8"):
            raise ConfigError(f"quantize is {quantize!r}", 'It takes "none" or "int8".')
        checkpoint = Checkpoint.open(path)
        tokenizer = checkpoint.load_tokenizer()
        model = checkpoint.load_model(pick_device(device))
        for_generation(model, quantize == "int8", progress or default_progress(), tokens)
        lm = cls(
            model, tokenizer, checkpoint.documents, end_ids=checkpoint.end_ids(),
            start_ids=checkpoint.start_ids(tokenizer),
        )  # fmt: skip
        lm._checkpoint = checkpoint
        return lm

    @property
    def block_size(self) -> int:
        """The most tokens that the model sees."""
        return self.model.config.block_size

    @cached_property
    def template(self) -> Template:
        """How conversations are written for this model: by the checkpoint's chat template, with
        role tokens, or as lines of text. Raises ChatError for a template that is none, and
        CheckpointError for a file of it that can't be read: only who talks needs them."""
        from yocto.chat.template import template_for  # only who talks waits for its imports

        if self.chat_template is None and self._checkpoint is not None:
            self.chat_template = self._checkpoint.chat_template()
        return template_for(self.tokenizer, self.documents, self.chat_template)

    @property
    def end_id(self) -> int | None:
        """The id that ends a document, if the model learnt what it means."""
        return self.tokenizer.end_id if self.documents > 1 else None

    def prompt_ids(self, prompt: str) -> list[int]:
        """The ids of a prompt, special tokens taken as text; an empty one starts a text."""
        if prompt:
            ids = self.tokenizer.encode(prompt, allowed_special="none")
            if not ids:
                raise TokenizerError("the prompt holds nothing that the tokenizer has an id for")
            return [*self._start_ids, *ids]
        if self._start_ids:
            return list(self._start_ids)
        if self.tokenizer.kind == "ids" and self.tokenizer.bos_id is not None:
            return [self.tokenizer.bos_id]
        if self.end_id is not None:
            return [self.end_id]
        try:
            ids = self.tokenizer.encode("\n")
        except TokenizerError:  # a char vocabulary without line breaks
            ids = []
        if not ids or self.tokenizer.unk_id in ids:
            ids = [i for i in range(self.tokenizer.vocab_size) if i not in self._special][:1]
        if not ids:
            raise TokenizerError("the tokenizer has no token that stands for text")
        return ids

    def complete(
        self,
        prompts: Sequence[Sequence[int]],
        config: SamplingConfig,
        *,
        stop: Sequence[str] = (),
        end_ids: Iterable[int] | None = None,
        logprobs: int | None = None,
        generators: Sequence[torch.Generator] | None = None,
        engine: Engine | None = None,
        batch_size: int = MOST_TEXTS,
        reframes: Sequence[Reframe] | None = None,
    ) -> Completions:
        """Continue several prompts at once, which are ids; the text comes as the result is read.

        stop: more stop strings than config.stop. end_ids: special tokens that end a text; None
        takes those that end a document or a turn. logprobs: as in Request. generators: one for
        each prompt; None makes them from config.seed, the second of seed + 1 and so on, so that
        each text can be had alone, too. engine: one that has read some of the prompts before.
        batch_size: most texts that are made at a time. reframes: one for each prompt, as in
        Request; a beam search takes none.
        """
        if generators is None:
            generators = make_generators(config.seed, len(prompts))
        self.check_biases(config)
        requests = [
            self.request(ids, config, end_ids, logprobs, generator, reframe)
            for ids, generator, reframe in zip(
                prompts, generators, reframes or repeat(None, len(prompts)), strict=True
            )
        ]
        engine = engine or Engine(self.model)
        stops = (*config.stop, *stop)
        return Completions(engine, self.tokenizer, requests, stops, batch_size)

    def request(
        self,
        ids: Sequence[int],
        config: SamplingConfig,
        end_ids: Iterable[int] | None,
        logprobs: int | None,
        generator: torch.Generator,
        reframe: Reframe | None = None,
    ) -> Request:
        """What the sampler is asked for: a prompt's ids to be continued, as in `complete`."""
        known = self._end_ids if end_ids is None else frozenset(end_ids)
        ends = frozenset() if config.ignore_eos else known
        # Of the special tokens a model may choose only those that end the text.
        banned = sorted(self._special - (self._end_ids if end_ids is None else ends))
        # A vocabulary may be padded: some ids stand for nothing.
        banned += range(self.tokenizer.vocab_size, self.model.config.vocab_size)
        return Request(ids, config, ends, banned, logprobs, generator, reframe)

    def running(self, most_texts: int, most_read: int) -> Running:
        """Texts that join while others are made. Arguments as in Generation."""
        from yocto.api.running import Running

        engine = Engine(self.model, rows=most_texts, threads=torch.get_num_threads())
        return Running(Generation(engine, (), most_texts, most_read), self.tokenizer)

    def check_biases(self, config: SamplingConfig) -> None:
        """Raise ConfigError where logit_bias names an id that the model doesn't know."""
        vocab_size = self.model.config.vocab_size
        if unknown := [id_ for id_ in config.biases() if id_ >= vocab_size]:
            raise ConfigError(
                f"logit_bias names the id {unknown[0]}, but the model knows only those below "
                f"{vocab_size}",
                "yocto inspect shows the tokenizer's ids.",
            )

    def stream_ids(
        self, ids: Sequence[int], config: SamplingConfig, stop: Sequence[str] = (), **options: Any
    ) -> Iterator[str]:
        """Text that continues ids, in pieces that never break a character. options: those of
        `complete`, a generator for itself."""
        for _, piece in self.complete([ids], config, stop=stop, **options):
            if piece:
                yield piece

    def stream(self, prompt: str = "", **knobs: Any) -> Iterator[str]:
        """Text that continues the prompt, piece by piece, the prompt itself left out.

        knobs: those of `yocto sample`: max_new_tokens, temperature, top_k, top_p, min_p, typical_p,
        repetition_penalty, presence_penalty, frequency_penalty, logit_bias (a table {id: bias} will
        do), beam, length_penalty, stop, greedy, seed, ignore_eos. Raises ConfigError for a wrong
        one.
        """
        return self.stream_ids(self.prompt_ids(prompt), SamplingConfig.from_dict(knobs))

    @overload
    def generate(self, prompt: str = "", **knobs: Any) -> str: ...

    @overload
    def generate(self, prompt: Sequence[str], **knobs: Any) -> list[str]: ...

    def generate(self, prompt: str | Sequence[str] = "", **knobs: Any) -> str | list[str]:
        """Text that continues the prompt, in one piece; of several prompts a list, made together.
        Knobs as in `stream`; the second prompt's seed is seed + 1, and so on."""
        if isinstance(prompt, str):
            return "".join(self.stream(prompt, **knobs))
        ids = [self.prompt_ids(one) for one in prompt]
        made = self.complete(ids, SamplingConfig.from_dict(knobs))
        with default_progress().task("generating", len(ids), " texts") as task:
            for text, _ in made:
                task.advance(text.finish_reason is not None)
        return [text.text for text in made.texts]

    def chat(
        self, system_prompt: str = "", max_ctx_tokens: int | None = None, **knobs: Any
    ) -> Chat:
        """A conversation, with `send`, `retry`, `undo`, `save` and `load`; knobs as in `stream`.

        >>> chat = lm.chat("Be brief.", temperature=0.5, seed=1)       # doctest: +SKIP
        >>> "".join(chat.send("What is courage?"))                     # doctest: +SKIP
        'Courage is fear that has said its prayers.'

        max_ctx_tokens: most tokens of it that the model is shown; the default leaves a third of the
        context to the answer.
        """
        from yocto.api.chat import Chat

        return Chat(self, SamplingConfig.from_dict(knobs), system_prompt, max_ctx_tokens)

    @torch.no_grad()
    def loss(self, text: str) -> float:
        """Mean cross-entropy of a text, in nats per token, read from its start in windows of
        block_size."""
        start = self.prompt_ids("")
        ids = self.tokenizer.encode_to_numpy(text)
        if not len(ids):
            raise TokenizerError("an empty text has no loss")
        whole = np.concatenate([np.array(start[-1:], ids.dtype), ids])
        device = next(self.model.parameters()).device
        total, count = 0.0, 0
        for idx, targets in eval_batches(whole, self.block_size, 8):
            logits = self.model(idx.to(device)).float()
            total += F.cross_entropy(
                logits.flatten(0, 1), targets.to(device).flatten(), reduction="sum"
            ).item()
            count += targets.numel()
        return total / count
