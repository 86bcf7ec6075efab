"""The name of a new destination, in each form that it takes."""

import builtins
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.machinery import PathFinder
from keyword import iskeyword
from pathlib import Path
from typing import Self

from destination.cli.new.drafts import class_names
from destination.registry import SPEC

LONGEST = 30
"""Characters of a name at most."""

_NAME = re.compile(r"[a-z][a-z0-9]*(?:[-_][a-z0-9]+)*")
_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z0-9]+")


@dataclass(frozen=True, slots=True)
class Name:
    """
    A name as it was typed, such as ``my-crm``: small letters and digits, hyphens or underscores.

    Args:
        kind: What a configuration says, the name itself.
    """

    kind: str

    @property
    def stem(self) -> str:
        """``my_crm``, for files and in a configuration."""
        return self.kind.replace("-", "_")

    @property
    def label(self) -> str:
        """``My Crm``, for people."""
        return " ".join(word.capitalize() for word in self.stem.split("_"))

    @property
    def class_name(self) -> str:
        """``MyCrm``."""
        return self.label.replace(" ", "")

    @property
    def variable(self) -> str:
        """``MY_CRM``, how variables of the environment begin."""
        return self.stem.upper()

    @property
    def host(self) -> str:
        """``my-crm.example``, a host that nobody has."""
        return f"{self.stem.replace('_', '-')}.example"

    def put(self, text: str) -> str:
        """A template in which this name stands in each form of ``acme-crm``."""
        forms = {form: getattr(self, form) for form in _FORMS}
        return _PLACES.sub(lambda found: str(forms[found.lastgroup or ""]), text)

    @classmethod
    def parse(cls, text: str, kinds: Sequence[str]) -> Self:
        """
        The name, if a destination can be called so beside these kinds.

        Raises:
            ValueError: It cannot; a sentence that says why.
        """
        if not _NAME.fullmatch(text) or len(text) > LONGEST:
            words = "-".join(word.lower() for word in _WORDS.findall(text))
            fits = text.isascii() and _NAME.fullmatch(words) and len(words) <= LONGEST
            raise ValueError(
                "A name is small letters and digits, in words with hyphens between them, and "
                f"begins with a letter; {LONGEST} characters at most."
                + (f' Did you mean "{words}"?' if fits else "")
            )
        name = cls(text)
        if taken := [kind for kind in (*kinds, SPEC) if Name(kind).stem == name.stem]:
            raise ValueError(f'There is a kind "{taken[0]}" already: destination list')
        if name.class_name in class_names() or hasattr(builtins, name.class_name):
            raise ValueError(f"The new module calls something else {name.class_name} already.")
        if iskeyword(name.stem):
            raise ValueError(f'"{name.stem}" is a word of the language Python.')
        if _installed(name.stem):
            raise ValueError(
                f'Python has a module "{name.stem}" already, which {name.stem}.py would hide.'
            )
        return name


_FORMS = {
    "host": "acme-crm.example",
    "kind": "acme-crm",
    "stem": "acme_crm",
    "class_name": "AcmeCrm",
    "label": "Acme Crm",
    "variable": "ACME_CRM",
}
_PLACES = re.compile("|".join(f"(?P<{form}>{re.escape(text)})" for form, text in _FORMS.items()))


def _installed(module: str) -> bool:
    """Whether Python has such a module, or finds it elsewhere than in the current folder."""
    if module in sys.stdlib_module_names or module in sys.modules:
        return True
    here = Path.cwd()
    elsewhere = [path for path in sys.path if Path(path).absolute() != here]
    return PathFinder.find_spec(module, elsewhere) is not None
