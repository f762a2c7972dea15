"""When a run is beyond hope, and why, probably."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from yocto.config import LoopConfig
from yocto.errors import RunError

# A loss so much above that of knowing nothing, ln(vocab_size), for so many lines of ten steps, is
# no mishap that a run recovers from.
WORSE_THAN_GUESSING, LINES = 1.0, 3  # nats


@dataclass
class Health:
    """Looks at losses and gradients, and stops a run that has diverged: one whose loss or gradient
    is no number, or whose loss has risen well above that of guessing.

    saved_step: of the last checkpoint. spoilt: whether an evaluation has found its weights to be no
    good; best_step is then the one to go back to.
    """

    config: LoopConfig
    vocab_size: int
    saved_step: int | None = None
    best_step: int | None = None
    spoilt: bool = False
    norms: list[float] = field(default_factory=list)  # of the latest lines
    lowest: float = math.inf  # mean loss of a line
    exploded: list[float] = field(default_factory=list)  # those of the latest lines, if in a row

    def check_number(self, what: str, value: float, step: int) -> None:
        """Raise a RunError for a value that is NaN or infinite. what: "the loss", say."""
        if not math.isfinite(value):
            raise self._diverged(f"{what} is {value}", step)

    def check_line(self, loss: float, norm: float, step: int) -> None:
        """Look at the mean loss, in nats, and the gradients' norm of some steps."""
        self.check_number("the loss", loss, step)
        self.norms = [*self.norms[-9:], norm]
        if len(self.norms) == 10 and not any(map(math.isfinite, self.norms)):
            raise self._diverged("no gradient is a number any more", step)  # whatever its scale
        if not self._is_exploded(loss):
            self.lowest = min(self.lowest, loss)
            self.exploded, self.spoilt = [], False
            return
        self.exploded.append(loss)
        if len(self.exploded) >= LINES:
            self.refuse_exploded(step)

    def suspects(self, loss: float) -> bool:
        """Whether steps with this mean loss, since the latest line, may have spoilt the weights."""
        return bool(self.exploded) or self._is_exploded(loss)

    def look_at_evaluation(self, loss: float, best_step: int | None, step: int) -> bool:
        """A validation loss may tell of spoilt weights before a training line does, or of a model
        that knows its text by heart: which of them, the next line tells. Returns whether it is
        sound; raises a RunError for one that is no number."""
        sound = math.isfinite(loss) and not self._is_exploded(loss)
        if not sound:
            self.spoilt, self.best_step = True, best_step
        self.check_number("the validation loss", loss, step)
        return sound

    @property
    def good_step(self) -> int | None:
        """The checkpoint to go on from once the run has diverged."""
        return self.best_step if self.spoilt else self.saved_step

    def _is_exploded(self, loss: float) -> bool:
        return loss > math.log(self.vocab_size) + WORSE_THAN_GUESSING

    def refuse_exploded(self, step: int) -> None:
        """Raise a RunError where the latest line has exploded: weights that may be spoilt must not
        take the place of the last whole ones."""
        if self.exploded:
            before = "" if math.isinf(self.lowest) else f" from {self.lowest:.2f}"
            raise self._diverged(f"the loss has exploded{before} to {self.exploded[-1]:.2f}", step)

    def _diverged(self, what: str, step: int) -> RunError:
        return RunError(f"{what} at step {step}: {self._cause(step)}", self._advice())

    def _cause(self, step: int) -> str:
        c = self.config
        norms = [n for n in self.norms if math.isfinite(n)]
        rate = f"the learning rate ({c.learning_rate:g})"
        if step <= c.warmup_iters or (step < 100 and c.warmup_iters < 10):
            return f"{rate} is probably too high for a start of {c.warmup_iters} warm-up steps"
        if not c.grad_clip:
            return f"{rate} is probably too high, and no clipping holds large gradients back"
        if c.dtype == "float16":
            return f"float16 has overflowed, or {rate} is too high"
        if norms and max(norms) > 10 * c.grad_clip:
            return f"{rate} is probably too high: the gradient's norm had grown to {max(norms):.3g}"
        return f"{rate} is probably too high"

    def _advice(self) -> str:
        c = self.config
        lower = f"--learning-rate {c.learning_rate / 3:.2g}"
        if c.optimizer == "muon" and c.muon_lr is not None:
            lower += f" --muon-lr {c.muon_lr / 3:.2g}"
        if not c.grad_clip:
            lower += " --grad-clip 1"
        if c.dtype == "float16":
            lower += ", or --dtype bfloat16"
        if self.good_step is None:
            return f"Start again with {lower}; no checkpoint is there to go on from."
        return f"Step {self.good_step} is saved and whole: add --resume auto {lower}"
