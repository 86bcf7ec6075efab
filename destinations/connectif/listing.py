"""Connectif's lists: custom integrations, and the events of each, page by page."""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Generic, TypeVar
from urllib.parse import quote

import httpx
from pydantic import BaseModel, ValidationError

from destination import NoAnswer, RefusedError, VendorClient
from destinations.connectif.events import EventType, Told

MANY_PAGES = 100
"""Pages that are read at most, of all lists together."""

ItemT = TypeVar("ItemT", bound=BaseModel)


class Integration(Told):
    """A custom integration, which has events."""

    id: str


class Links(Told):
    """Where a list goes on."""

    next: str | None = None


class Page(Told, Generic[ItemT]):
    """A part of a list."""

    results: list[ItemT]
    links: Links | None = None


class Listing:
    """
    One reading of the lists.

    Args:
        headers: They show the key.

    Raises:
        NotListed: From each method: the key may not read the list, or it is not there.
    """

    def __init__(self, http: VendorClient, headers: Mapping[str, str]) -> None:
        self._http = http
        self._headers = headers
        self._pages = 0

    async def integrations(self) -> list[str]:
        """The ids of the store's custom integrations."""
        pages = self._read("/custom-integrations/", Page[Integration])
        return [one.id async for page in pages for one in page.results]

    async def events(self, integrations: Sequence[str] | None) -> list[EventType]:
        """The events of these integrations, or of all."""
        ids = await self.integrations() if integrations is None else integrations
        paths = [f"/custom-integrations/{quote(id, safe='')}/custom-event-types/" for id in ids]
        return [
            event
            for path in paths
            async for page in self._read(path, Page[EventType])
            for event in page.results
        ]

    async def _read(self, path: str, model: type[Page[ItemT]]) -> AsyncIterator[Page[ItemT]]:
        url: str | None = path
        while url is not None:
            if self._pages >= MANY_PAGES:
                raise RefusedError(
                    f"Connectif's lists of events have more than {MANY_PAGES} pages; "
                    "the setting integrations makes them shorter"
                )
            self._pages += 1
            response = await self._http.request("GET", url, headers=self._headers)
            try:
                page = model.model_validate_json(response.content)
            except ValidationError:
                raise NoAnswer("Connectif's list of events cannot be read") from None
            yield page
            url = _following(response.request.url, page.links.next if page.links else None)


def _following(here: httpx.URL, link: str | None) -> str | None:
    """The next page's address, None after the last. The key is shown to no other origin."""
    if not link:
        return None
    try:
        there = here.join(link)
    except (httpx.InvalidURL, ValueError):
        there = None
    if there is None or _origin(there) != _origin(here):
        raise RefusedError("Connectif's list of events goes on at another address")
    return str(there)


def _origin(url: httpx.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port
