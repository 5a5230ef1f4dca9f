"""What one model call or judgement took."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Usage:
    """Tokens in and out. ``cost`` in US dollars, None where no price is known.

    ``estimated`` where the provider gave no figures and they were counted from the text. ``reserved`` tokens were
    held while the call was out, and no call is booked with more; what a provider claims beyond them is ``excess``,
    in tokens and in dollars.
    """

    prompt_tokens: int
    completion_tokens: int
    cost: float | None = None
    estimated: bool = False
    reserved: int = 0
    excess: int = 0
    excess_usd: float = 0.0

    @property
    def tokens(self) -> int:
        """Tokens in and out."""
        return self.prompt_tokens + self.completion_tokens


@dataclass(frozen=True)
class Lost:
    """What was spent without a result: a call whose end is unknown, a judgement that was cut off.

    ``step`` is ``JOB.STEP``; ``device_seconds`` are a judgement's; ``call`` is the id under which a call went out.
    """

    step: str
    reason: str
    model: str = ""
    usage: Usage | None = None
    device_seconds: float = 0.0
    call: str = ""
