"""What an endpoint's or Relay42's refusals mean."""

from typing import Self

import httpx

from destination import AuthError, Code, DestinationError, Record, RefusedError, RowError, quoted

NOT_ABOUT_THE_RECORD = (401, 403, 408, 410, 425, 429)


def partner_error(response: httpx.Response) -> DestinationError | None:
    """A 4xx that is about the record; None leaves all else to the status."""
    status = response.status_code
    if status == 401:
        return AuthError("invalid credentials: the endpoint answered 401")
    if 400 <= status < 500 and status not in NOT_ABOUT_THE_RECORD:
        return RefusedError(f"partner error code {status}")
    return None


class BadRequest(RowError):
    """Relay42 ignores the record. Its own words may quote it, so they wait for ``about``."""

    default_code = Code.VENDOR_REJECTED
    words = ""

    @classmethod
    def of(cls, response: httpx.Response) -> Self:
        """The refusal in an answer of ``{"errorCode", "message"}``, or in its status alone."""
        error = cls(f"partner error code {response.status_code}")
        try:
            document = response.json()
        except (ValueError, RecursionError):
            document = None
        if isinstance(document, dict) and isinstance(document.get("message"), str):
            error.words = document["message"]
        return error

    def about(self, record: Record) -> Self:
        """The same with Relay42's words, without the record's values."""
        if self.words:
            self.message = f"{self.message}: {quoted(self.words, record)}"
        return self


def api_error(response: httpx.Response) -> DestinationError | None:
    """What the REST API documents: 400 is about the record, 401 and 403 are for a person."""
    match response.status_code:
        case 400:
            return BadRequest.of(response)
        case 401:
            return AuthError(
                "invalid credentials: Relay42 answered 401: it does not know them for this site"
            )
        case 403:
            return AuthError(
                "invalid credentials: Relay42 answered 403: they are wrong, lack the right, "
                "or the account is locked for want of use"
            )
    return partner_error(response)
