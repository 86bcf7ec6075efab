"""What a destination is: a settings model, an options model, declarations and one coroutine."""

from collections.abc import Hashable, Iterable, Sequence
from typing import Any, ClassVar, Generic, TypeVar, get_args

import httpx
from pydantic import BaseModel

from destination.errors import DestinationError
from destination.model import Batch, Checked, Field, Form, Limits, Object, Record, Rejection
from destination.notes import Notes
from destination.schema import RESERVED
from destination.sync import Sync
from destination.vendor.client import VendorClient
from destination.vendor.connection import Connection

SettingsT = TypeVar("SettingsT", bound=BaseModel)
OptionsT = TypeVar("OptionsT", bound=BaseModel)


class NoOptions(BaseModel):
    """The options of a destination that has nothing to ask a marketer."""


class Destination(Generic[SettingsT, OptionsT]):
    """
    A kind of destination.

    A subclass names its two models (``class Slack(Destination[Settings, Options])``), declares
    ``kind``, ``objects`` and ``limits``, and implements ``deliver``. Everything else has a
    working default. It never retries, sleeps, times out, counts or catches to log.
    """

    kind: ClassVar[str]
    """Equals the name that it is found by; of a module in ``destinations`` that is the file's."""

    label: ClassVar[str] = ""
    """The vendor's name as people write it."""

    objects: ClassVar[Sequence[Object]] = (Object(),)
    limits: ClassVar[Limits] = Limits()
    settings_model: ClassVar[type[BaseModel]]
    options_model: ClassVar[type[BaseModel]]

    closed_choices: ClassVar[bool] = True
    """
    Rows are sent only with option values that the vendor offers. False checks them when a sync
    is saved and leaves them to the vendor afterwards, so that no row waits for the form.
    """

    def __init__(self, settings: SettingsT) -> None:
        self.settings = settings
        self.http: VendorClient
        """Requests to the vendor: a response that arrives is a good one, anything else raises."""
        self.notes: Notes
        """Small values kept by row id, such as the timestamp of the message about a row."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Read the two models from the generic parameters; refuse option names that cannot work."""
        super().__init_subclass__(**kwargs)
        for base in cls.__dict__.get("__orig_bases__", ()):
            models = [model for model in get_args(base) if isinstance(model, type)]
            if len(models) == 2:
                cls.settings_model, cls.options_model = models
                options = cls.options_model.model_fields.items()
                if taken := RESERVED & {field.alias or name for name, field in options}:
                    raise TypeError(
                        f"{cls.__name__}: the platform reserves the option names {sorted(taken)}"
                    )

    def connection(self) -> Connection:
        """Where the vendor is and how to be let in; called once, when the server starts."""
        return Connection()

    async def deliver(self, batch: Batch[OptionsT]) -> Iterable[Rejection]:
        """
        Send one batch and say which records were not delivered.

        Called with at most ``limits.batch_size`` records, valid against the fields, possibly
        several times at once up to ``limits.concurrency``. **Records that are not mentioned
        were delivered**, and that must rest on the vendor's positive answer. Return rejections
        for some; raise a DestinationError when all share one fate.
        """
        raise NotImplementedError

    async def check(self) -> str | Checked | None:
        """
        Raise a DestinationError when credentials or account are wrong. Reads, never writes.

        What is returned is shown to the operator, such as whose account it is; ``Checked`` has
        warnings beside it, such as a permission that is missing and is not always needed.
        """
        return None

    async def discover(self) -> Sequence[Object]:
        """The objects, where only the vendor knows them."""
        return self.objects

    async def fields(self, object: Object, mode: str | None) -> Sequence[Field]:
        """The fields, where only the vendor knows them."""
        return object.fields

    def fields_for(self, fields: Sequence[Field], options: OptionsT) -> Sequence[Field]:
        """The fields as a sync with these options takes them; one may waive what is required."""
        return fields

    async def form(self, object: Object, mode: str | None) -> Form:
        """Choices that only the vendor knows, and hints for the form."""
        return Form()

    async def validate(self, sync: Sync, options: OptionsT) -> Sequence[str]:
        """More to tell the marketer than the form's own rules; sentences. Reads, never writes."""
        return ()

    def limits_for(self, mode: str | None, options: OptionsT | None) -> Limits:
        """The limits, where they depend on the sync or on settings."""
        return self.limits

    def classify(self, response: httpx.Response) -> DestinationError | None:
        """The error in an answer that says no in its own way; None leaves it to the status."""
        return None

    def identity(self, record: Record) -> Hashable | None:
        """
        What the vendor knows a record by, such as an e-mail address; None when by nothing.

        Of several rows of a call with one identity only the last is delivered; the others are
        rejected with DUPLICATE. Not asked for removals: what is gone is gone.
        """
        return None

    def wanted(self, record: Record, batch: Batch[OptionsT]) -> bool:
        """
        Whether the record is sent at all. One that is not is no error; it counts as skipped.

        Args:
            batch: What the record's batch will be, still without records.
        """
        return True

    def group(self, record: Record, options: OptionsT) -> Hashable | None:
        """
        What is delivered together: a group's records come in one batch; None is no group.

        ``limits.batch_size`` counts groups then, and a refused batch is halved between them. A
        group of more than a thousand records is cut.
        """
        return None

    def lane(self, record: Record, options: OptionsT) -> str:
        """What rate and order are counted by and a TargetError stops, such as Slack's channel."""
        return ""
