"""
One rendering and its allowance.

python-liquid bounds the size of output and of single loops, but neither their sum nor the
time that filters and comparisons take. Here every node, expression and character costs a
little, and a rendering that has spent its allowance stops.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from liquid import BoundTemplate, RenderContext
from liquid.exceptions import ResourceLimitError
from liquid.utils import ReadOnlyChainMap

from destination.template.sinks import MAX_BYTES, Text
from destination.template.values import MAX_TEXT, SCALARS, FilterError, weigh

MAX_LOOPS = 10_000
"""The most iterations of all loops in one rendering."""

MAX_WORK = 100_000
"""The most nodes and expressions in one rendering; 64 characters count as one."""


_SLOW = 4  # a list takes longer to compare and search than a text of its weight
_POSITION = re.compile(r"-?\d{1,9}", re.ASCII)
_NO_TAGS: list[str] = []
_KEPT = {*RenderContext.__slots__, "_held", "_sizes"}


class ExhaustedError(ResourceLimitError):
    """A rendering asked for too much; the message says of what."""

    def __init__(self, message: str) -> None:
        super().__init__(message, token=None)


@dataclass(slots=True)
class Allowance:
    """What is left of a row's work; the renderings of several templates may share it."""

    work: int = MAX_WORK
    loops: int = MAX_LOOPS


class Rendering(RenderContext):
    """
    What one rendering knows and has left.

    What only tags need is set up when the first of them asks for it.

    Args:
        weights: What each block costs, by the identity of its node.
        allowance: What it may use up, by default an allowance of its own.
        now: What the word ``now`` means to the date filter; by default the clock's time.
    """

    __slots__ = ("_allowance", "_held", "_sizes", "names", "now", "weights")

    def __init__(
        self,
        template: BoundTemplate,
        values: Mapping[str, Any],
        weights: Mapping[int, int],
        now: datetime | None,
        allowance: Allowance | None = None,
    ) -> None:
        self.template, self.env, self.globals = template, template.env, values
        self.disabled_tags, self.autoescape = _NO_TAGS, False
        self.names, self.weights, self.now = values, weights, now
        self._allowance = allowance or Allowance()
        self._sizes: dict[str, int]
        self._held: int

    def __getattr__(self, name: str) -> Any:
        if name not in _KEPT:
            raise AttributeError(name)
        super().__init__(self.template, globals=self.globals)
        # The inherited scope answers "now" and "today" as well, which are no columns.
        self.scope = ReadOnlyChainMap(self.locals, self.globals, self.counters)
        self.names, self._sizes, self._held = self.scope, {}, 0
        return getattr(self, name)

    def charge(self, work: int) -> None:
        """Takes nodes and expressions off the allowance."""
        self._allowance.work -= work
        if self._allowance.work < 0:
            raise ExhaustedError("the template does too much work")

    def spend(self, characters: int) -> None:
        """Takes the handling of a text off the allowance."""
        self.charge(1 + (characters >> 6))

    def get(self, path: list[object], **options: Any) -> object:
        """What a name stands for; large values cost more, since anything may be done to them."""
        value = super().get(path, **options)
        self.take(value)
        return value

    def take(self, value: object) -> None:
        """Pays for a value that a name stands for."""
        if isinstance(value, str):
            self.spend(len(value))
        elif type(value) not in SCALARS and isinstance(value, dict | list):
            self.spend(_SLOW * _weight_or_most(value))

    def get_item(self, obj: Any, key: Any) -> Any:
        """An item of a list or object, or a character; never an attribute."""
        if isinstance(obj, str | list) and _POSITION.fullmatch(str(key)):
            return obj[int(key)]
        return super().get_item(obj, key)

    def assign(self, key: str, val: Any) -> None:
        """Keeps a variable, unless all of them would become too large."""
        size = weigh(val)
        self.spend(size)
        self._held += size - self._sizes.get(key, 0)
        self._sizes[key] = size
        if self._held > MAX_BYTES:
            raise ExhaustedError(f"variables larger than {MAX_BYTES // 1024} kB")
        self.locals[key] = val

    def get_buffer(self, buf: Text) -> Text:  # type: ignore[override]  # always ours
        """Where a variable's text is written, which stands in what is written to ``buf``."""
        return buf.capture()

    def raise_for_loop_limit(self, length: int = 1) -> None:
        """Counts the iterations of all loops, one after another as well as nested."""
        self._allowance.loops -= length
        if self._allowance.loops < 0:
            raise ExhaustedError(f"more than {MAX_LOOPS:,} loop iterations")


def _weight_or_most(value: Any) -> int:
    try:
        return weigh(value)
    except FilterError:
        return MAX_TEXT
