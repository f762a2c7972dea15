"""Who writes texts with a model, and which call of theirs is timed.

All have the same weights, drawn at random, and the same prompts, and always take the likeliest
token.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping

import torch
from torch import nn

from yocto.bench.decoding_job import DecodingJob
from yocto.bench.peers import BATCH, INT8, NO_CACHE, OURS, TRANSFORMERS, TRANSFORMERS_BATCH
from yocto.config import GPTConfig, SamplingConfig
from yocto.model.gpt import GPT
from yocto.model.linear import for_generation
from yocto.sampling.engine import Engine
from yocto.sampling.generate import Generation
from yocto.sampling.request import Request
from yocto.utils.progress import SilentProgress

SEED = 1337
CONTEXTS = 8  # that the loop without a cache is timed at

Texts = list[list[int]]


class Decoder(ABC):
    """One side with its model. Making it imports what it needs."""

    int8 = False

    def __init__(self, job: DecodingJob) -> None:
        torch.set_num_threads(job.threads)
        self.job, self.model = job, random_model(job.config)
        self.parameters = self.model.num_parameters()
        self.weight_bytes = weight_bytes(self.model, self.int8)
        generator = torch.Generator().manual_seed(SEED)
        shape = (job.batch_size, job.prompt_tokens)
        prompts = torch.randint(job.config.vocab_size, shape, generator=generator)
        self.prompts: Texts = prompts.tolist()
        self.prepare()

    @abstractmethod
    def prepare(self) -> None:
        """Make what is not timed, once."""

    @abstractmethod
    def texts(self) -> Texts:
        """The new tokens of each text."""

    def begin(self) -> None:  # noqa: B027 (most have nothing to do)
        """Make what is not timed, before each turn."""

    def turn(self) -> int:
        """What is timed; returns how many tokens it made."""
        return sum(map(len, self.texts()))


class Yocto(Decoder):
    """This package, as `yocto sample` runs it."""

    def prepare(self) -> None:
        """Get the model ready as LanguageModel does."""
        for_generation(self.model, self.int8, SilentProgress())
        self.begin()

    def begin(self) -> None:
        """An engine that has read nothing yet."""
        self.engine = Engine(self.model)

    def texts(self) -> Texts:
        """All in one batch."""
        config = SamplingConfig(greedy=True, max_new_tokens=self.job.new_tokens)
        requests = [Request(prompt, config) for prompt in self.prompts]
        texts: Texts = [[] for _ in requests]
        for index, token in Generation(self.engine, requests, self.job.batch_size):
            assert token is not None
            texts[index].append(token.id)
        return texts


class YoctoInt8(Yocto):
    """This package with `--quantize int8`."""

    int8 = True


class NoCache(Decoder):
    """A loop that shows the model the whole text for every token, and computes the logits of the
    last position alone, as nanoGPT's generate does.

    A token takes as long as its context is long, nearly, so that a few contexts, evenly spread over
    the text, tell what the mean one takes.
    """

    def prepare(self) -> None:
        """Write the text with a cache, so that there are contexts to read."""
        (self.written,) = Yocto(self.job).texts()
        self.engine = Engine(self.model, use_cache=False)
        count = min(CONTEXTS, self.job.new_tokens)
        self.places = [int((i + 0.5) * self.job.new_tokens / count) for i in range(count)]

    def next_token(self, place: int) -> int:
        """The token that follows the first `place` new ones."""
        context = self.prompts[0] + self.written[:place]
        return int(self.engine.read([context])[0].argmax())

    def texts(self) -> Texts:
        """The text, with this loop's own choice at each place that is timed."""
        text = list(self.written)
        for place in self.places:
            text[place] = self.next_token(place)
        return [text]

    def turn(self) -> int:
        """One token at each place."""
        for place in self.places:
            self.next_token(place)
        return len(self.places)


class Transformers(Decoder):
    """transformers' model and generate, with the cache that it takes of itself."""

    def prepare(self) -> None:
        """Give it the weights."""
        from yocto.bench.twins import twin_of

        self.twin = twin_of(self.model)
        del self.model
        self.idx = torch.tensor(self.prompts)

    def texts(self) -> Texts:
        """All in one batch."""
        ids: torch.Tensor = self.twin.generate(  # type: ignore[operator]
            input_ids=self.idx,
            attention_mask=torch.ones_like(self.idx),
            max_new_tokens=self.job.new_tokens,
            do_sample=False,
            use_cache=True,
        )
        texts: Texts = ids[:, self.job.prompt_tokens :].tolist()
        return texts


DECODERS: Mapping[str, type[Decoder]] = {
    OURS: Yocto, INT8: YoctoInt8, BATCH: Yocto, NO_CACHE: NoCache,
    TRANSFORMERS: Transformers, TRANSFORMERS_BATCH: Transformers,
}  # fmt: skip


@torch.no_grad()
def random_model(config: GPTConfig) -> GPT:
    """A model in eval mode that says something: as they are before training, blocks write little or
    nothing, and a tied head answers with the token that it is shown."""
    generator = torch.Generator().manual_seed(SEED)
    model = GPT(config, generator).eval()
    for weights in model.blocks.parameters():
        if weights.dim() == 2:
            weights.normal_(0.0, 1 / math.sqrt(weights.shape[1]), generator=generator)
    return model


def weight_bytes(model: GPT, int8: bool = False) -> int:
    """Bytes of weights that one more token takes: all of them, but of an embedding, where the head
    doesn't share it, one row, which is not counted. int8: matrices of one byte a weight, with a
    scale of four for each of their rows."""
    total = 0
    for part in model.modules():
        if not isinstance(part, nn.Embedding):
            for weights in part.parameters(recurse=False):
                matrix = int8 and weights.dim() == 2
                total += weights.numel() + 4 * len(weights) if matrix else 4 * weights.numel()
    return total
