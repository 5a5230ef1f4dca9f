"""What one model call or judgement took."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Usage:
    """Tokens in and out, and what they cost."""

    prompt_tokens: int
    completion_tokens: int
    cost: float | None = None
    """US dollars; None where no price is known."""
    estimated: bool = False
    """True where the provider gave no figures and the tokens were counted from the text."""
    reserved: int = 0
    """Tokens held while the call was out; no call is booked with more."""
    excess: int = 0
    """Tokens that the provider claims beyond those reserved."""
    excess_usd: float = 0.0
    """US dollars that the provider claims beyond those reserved."""

    @property
    def tokens(self) -> int:
        """Tokens in and out."""
        return self.prompt_tokens + self.completion_tokens


@dataclass(frozen=True)
class AbortedSpend:
    """What was spent without a result: a call whose end is unknown, a judgement that was cut off."""

    step: str
    """``JOB.STEP``."""
    reason: str
    model: str = ""
    usage: Usage | None = None
    device_seconds: float = 0.0
    """Of a judgement."""
    call: str = ""
    """The id under which a call went out."""
