"""What clients may ask for: OpenAI's names and ranges, and a few of yocto's own.

A name that is not here is refused, and so is a value that would change nothing.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    WithJsonSchema,
    model_validator,
)

from yocto.config import SamplingConfig

MOST_CHOICES = 128
Whole = Annotated[int, BeforeValidator(lambda value: _whole(value))]  # JSON knows 1.0, too
Text = Annotated[str, Field(max_length=10_000_000)]
Id = Annotated[Whole, Field(ge=0, lt=1 << 31)]
Stop = Annotated[str, Field(min_length=1, max_length=1000)]
Bias = Annotated[float, Field(ge=-100, le=100, allow_inf_nan=False)]
BiasedId = Annotated[str, Field(pattern=r"^[0-9]{1,9}$")]


def _unsupported(value: Any, default: Any) -> Any:
    if value is not None and value != default:
        raise ValueError("this server does not support it; leave it out")
    return value


def only(default: Any) -> tuple[AfterValidator, WithJsonSchema]:
    """A parameter that may be there, with the value that it has anyway."""
    values = [None] if default is None else [default, None]
    return AfterValidator(lambda v: _unsupported(v, default)), WithJsonSchema({"enum": values})


def _whole(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value


class Body(BaseModel):
    """A JSON object whose names and types are as they are told here, and no others."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)


class StreamOptions(Body):
    """What a stream tells besides its text."""

    include_usage: bool | None = None
    include_obfuscation: Annotated[bool | None, *only(False)] = None


class Sampling(Body):
    """What both kinds of completion take. user, metadata, store and service_tier are accepted, and
    change nothing."""

    model: Annotated[str, Field(max_length=1000)]
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    n: Annotated[Whole, Field(ge=1, le=MOST_CHOICES)] | None = None
    seed: Annotated[Whole, Field(ge=-(1 << 63), lt=1 << 63)] | None = None
    stop: Stop | Annotated[list[Stop], Field(max_length=4)] | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    top_p: Annotated[float, Field(ge=0, le=1)] | None = None
    presence_penalty: Annotated[float, Field(ge=-2, le=2)] | None = None
    frequency_penalty: Annotated[float, Field(ge=-2, le=2)] | None = None
    logit_bias: Annotated[dict[BiasedId, Bias], Field(max_length=1024)] | None = None
    user: Annotated[str, Field(max_length=1000)] | None = None
    # yocto's own
    top_k: Annotated[Whole, Field(ge=1, le=1 << 24)] | None = None
    min_p: Annotated[float, Field(ge=0, le=1)] | None = None
    repetition_penalty: Annotated[float, Field(ge=0.01, le=100)] | None = None

    @model_validator(mode="after")
    def _options_need_a_stream(self) -> Sampling:
        if self.stream_options is not None and not self.stream:
            raise ValueError("stream_options are for stream: true only")
        return self

    @property
    def with_usage(self) -> bool:
        """Whether a stream ends with its counts."""
        return bool(self.stream_options and self.stream_options.include_usage)

    @property
    def choices(self) -> int:
        """How many texts of each prompt."""
        return self.n or 1

    def sampling(self, max_new_tokens: int) -> SamplingConfig:
        """The knobs as the sampler has them; where nothing is said, OpenAI's defaults."""
        stop = [self.stop] if isinstance(self.stop, str) else self.stop or []
        bias = self.logit_bias or {}
        return SamplingConfig(
            max_new_tokens=max_new_tokens,
            temperature=1.0 if self.temperature is None else self.temperature,
            top_p=1.0 if self.top_p is None else max(self.top_p, 1e-6),
            top_k=self.top_k,
            min_p=self.min_p or 0.0,
            repetition_penalty=1.0 if self.repetition_penalty is None else self.repetition_penalty,
            presence_penalty=self.presence_penalty or 0.0,
            frequency_penalty=self.frequency_penalty or 0.0,
            logit_bias=tuple(f"{int(id_)}={value!r}" for id_, value in bias.items()),
            stop=tuple(stop),
            seed=None if self.seed is None else self.seed % (1 << 63),
        )


class CompletionBody(Sampling):
    """POST /v1/completions: a text to be continued, or several, as text or as ids."""

    prompt: (
        Text
        | Annotated[list[Text], Field(min_length=1, max_length=2048)]
        | Annotated[list[Id], Field(min_length=1, max_length=1 << 20)]
        | Annotated[
            list[Annotated[list[Id], Field(min_length=1, max_length=1 << 20)]],
            Field(min_length=1, max_length=2048),
        ]
    )
    max_tokens: Annotated[Whole, Field(ge=0, le=1 << 30)] | None = None
    logprobs: Annotated[Whole, Field(ge=0, le=5)] | None = None
    echo: bool | None = None
    best_of: Annotated[Whole | None, *only(1)] = None
    suffix: Annotated[str | None, *only("")] = None


class TextPart(Body):
    """A part of a message; this server knows text alone."""

    type: Literal["text"]
    text: Text


Parts = Annotated[list[TextPart], Field(min_length=1, max_length=1000)]


class ChatMessage(Body):
    """A turn of a conversation."""

    role: Literal["system", "developer", "user", "assistant"]
    content: Text | Parts
    name: Annotated[str | None, *only("")] = None
    refusal: Annotated[str | None, *only("")] = None
    annotations: Annotated[list[Any] | None, *only([])] = None
    audio: Annotated[dict[str, Any] | None, *only(None)] = None
    function_call: Annotated[dict[str, Any] | None, *only(None)] = None
    tool_calls: Annotated[list[Any] | None, *only([])] = None

    @property
    def text(self) -> str:
        """What it says."""
        if isinstance(self.content, str):
            return self.content
        return "\n".join(part.text for part in self.content)


class ResponseFormat(Body):
    """Text is what this server answers with."""

    type: Literal["text"]


class ChatBody(Sampling):
    """POST /v1/chat/completions: a conversation that waits for an answer."""

    messages: Annotated[list[ChatMessage], Field(min_length=1, max_length=10_000)]
    max_tokens: Annotated[Whole, Field(ge=1, le=1 << 30)] | None = None
    max_completion_tokens: Annotated[Whole, Field(ge=1, le=1 << 30)] | None = None
    logprobs: bool | None = None
    top_logprobs: Annotated[Whole, Field(ge=0, le=20)] | None = None
    response_format: ResponseFormat | None = None
    # As vLLM has it: the last message is the beginning of the answer.
    continue_final_message: bool | None = None
    metadata: Annotated[dict[str, str], Field(max_length=16)] | None = None
    store: bool | None = None
    service_tier: Literal["auto", "default"] | None = None
    tools: Annotated[list[Any] | None, *only([])] = None
    tool_choice: Annotated[Literal["none", "auto"] | None, *only("none")] = None
    parallel_tool_calls: bool | None = None
    modalities: list[Literal["text"]] | None = None

    @model_validator(mode="after")
    def _fields_go_together(self) -> ChatBody:
        both = {self.max_tokens, self.max_completion_tokens} - {None}
        if len(both) > 1:
            raise ValueError("max_tokens and max_completion_tokens differ: give one of them")
        if self.top_logprobs is not None and not self.logprobs:
            raise ValueError("top_logprobs needs logprobs: true")
        ends_so = self.messages[-1].role == "assistant" and len(self.messages) > 1
        if self.continue_final_message and not ends_so:
            raise ValueError(
                "continue_final_message needs a last message of the assistant's, and one before it"
            )
        return self

    @property
    def most_tokens(self) -> int | None:
        """How many tokens the answer may have; None where nothing is said."""
        return self.max_completion_tokens or self.max_tokens


class TokenizeBody(Body):
    """POST /tokenize: a text whose tokens are wanted. The answer is thirty times as long."""

    text: Annotated[str, Field(max_length=100_000)]
