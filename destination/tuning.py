"""Settings that every kind takes beside its own."""

from dataclasses import replace
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, PositiveInt

from destination.model import Limits, Rate, per_second


class Tuning(BaseModel):
    """The operator's word on how fast and from where a vendor is called."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, hide_input_in_errors=True, use_attribute_docstrings=True
    )

    base_url: str | None = None
    """Replaces the vendor's documented base address."""
    rate: PositiveFloat | None = None
    """Requests a second."""
    burst: PositiveInt | None = None
    """Requests at once, within the rate."""
    concurrency: PositiveInt | None = None
    """Deliveries at once."""
    batch_size: PositiveInt | None = None
    """Records in one delivery."""
    timeout: PositiveFloat | None = None
    """Seconds for one attempt."""
    attempts: PositiveInt | None = None
    """Attempts in all, for a request that may be repeated."""
    allow_private_networks: bool = False
    """Permits plain http, and addresses that are not public."""
    remember: Annotated[float, Field(ge=0)] | None = None
    """Hours for which a delivered row is not sent again when a call is repeated; 0: never."""
    on_unknown: Literal["resend", "hold"] = "resend"
    """What becomes of a row that may have been delivered already, when it is asked for again."""
    active: bool = True
    """False refuses rows without forgetting the settings."""

    def applied(self, limits: Limits) -> Limits:
        """The kind's limits with the operator's in their place."""
        rate = per_second(self.rate, burst=self.burst) if self.rate else limits.rate
        if rate is not None and self.burst:
            rate = Rate(rate.per_second, self.burst)
        most = limits.largest_batch or limits.batch_size
        return replace(
            limits,
            rate=rate,
            batch_size=min(self.batch_size or limits.batch_size, most),
            concurrency=self.concurrency or limits.concurrency,
            attempts=self.attempts or limits.attempts,
            timeout=self.timeout or limits.timeout,
            remember=limits.remember if self.remember is None else self.remember,
        )
