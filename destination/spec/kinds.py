"""From a spec file to a kind of destination, which nothing can tell from one written in Python."""

from dataclasses import replace
from pathlib import Path
from types import new_class
from typing import Any, ClassVar

from pydantic import BaseModel, ValidationError

from destination.errors import ConfigError
from destination.problems import explained
from destination.spec.document import Document
from destination.spec.files import read
from destination.spec.forms import model_of, plain
from destination.spec.http import Declared, HttpDestination
from destination.spec.places import Access
from destination.template import Structure, Template, TemplateError, UrlTemplate
from destination.vendor.access import credentials
from destination.vendor.connection import Connection


class SpecDestination(HttpDestination[BaseModel, BaseModel]):
    """A destination that a document declares; ``kind_of`` makes a subclass for each document."""

    document: ClassVar[Document]

    def __init__(self, settings: BaseModel) -> None:
        super().__init__(settings)
        self._access = self._read_access()

    def _read_access(self) -> Access:
        """Where the vendor is and how to be let in, with the settings in their places."""
        document, known = self.document, {"settings": plain(self.settings)}
        try:
            parts = {
                "base_url": Template.parse(document.base_url).render(known),
                "auth": Structure.parse(document.auth).value(known),
                "signing": document.signing and Structure.parse(document.signing).value(known),
            }
            return Access.model_validate(parts)
        except ValidationError as error:
            raise ConfigError("\n".join(explained(error, Access))) from None
        except TemplateError as error:
            raise ConfigError(error.message) from None

    def declared(self) -> Declared:
        """What the document says."""
        document = self.document
        return Declared(
            document.requests,
            document.modes,
            document,
            plain(self.settings),
            document.limits.limits(),
            identified=document.signing is not None,
        )

    def connection(self) -> Connection:
        """Requests name paths below the document's base URL."""
        return Connection(
            str(self._access.base_url),
            credentials(self._access.auth, self._access.signing),
            max_answer=self.longest_answer,
        )

    async def check(self) -> str | None:
        """The document's own request, where it has one."""
        if self.document.check is None:
            return "the file names no request that reads, so nothing was asked"
        url = UrlTemplate.parse(self.document.check.url).render({"settings": plain(self.settings)})
        await self.http.request("GET", url)
        return None


def kind_of(document: Document) -> type[SpecDestination]:
    """The kind that a document declares."""
    members = {
        "__doc__": document.description or f"Rows to {document.label or document.name}.",
        "kind": document.name,
        "label": document.label,
        "limits": replace(
            document.limits.limits(), batch_size=max(one.most for one in document.requests.values())
        ),
        "objects": tuple(one.object() for one in document.objects),
        "settings_model": model_of("Settings", document.settings),
        "options_model": model_of("Options", document.options),
        "document": document,
    }
    made: Any = new_class(
        document.name, (SpecDestination,), {}, lambda names: names.update(members)
    )
    return made  # type: ignore[no-any-return]


def load(path: Path) -> type[SpecDestination]:
    """The kind that a spec file declares; raises ConfigError with every problem found in it."""
    return kind_of(read(path))
