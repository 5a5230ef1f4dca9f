"""What one model call or judgement took, and may take."""

from __future__ import annotations

from dataclasses import dataclass, replace


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


@dataclass(frozen=True)
class Estimate:
    """What one call may take at most. ``usd`` is 0 where no price is known."""

    prompt_tokens: int
    reply_tokens: int = 0
    usd: float = 0.0

    @property
    def tokens(self) -> int:
        """Tokens in and out."""
        return self.prompt_tokens + self.reply_tokens

    def bound(self, usage: Usage) -> Usage:
        """``usage`` as it is booked: never more than this, and what it claims beyond named as excess."""
        prompt = min(usage.prompt_tokens, self.prompt_tokens)
        reply = min(usage.completion_tokens, self.reply_tokens)
        cost = usage.cost if usage.cost is None or not self.usd else min(usage.cost, self.usd)
        return replace(
            usage,
            prompt_tokens=prompt,
            completion_tokens=reply,
            cost=cost,
            reserved=self.tokens,
            excess=usage.tokens - prompt - reply,
            excess_usd=(usage.cost or 0.0) - (cost or 0.0),
        )
