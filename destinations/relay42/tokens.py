"""How an API key becomes the token that the REST API is shown."""

from destination import AuthError, Renewing, Token, TokenNames, TokenRequest


class ApiKey:
    """
    A grant: the key brings a refresh token, and that brings tokens for as long as it is good.

    Args:
        url: Where a refresh token is had for the key.
    """

    def __init__(self, url: str, api_key: str) -> None:
        self._url = url
        self._key = api_key
        self._refresh: Token | None = None

    def renew(self, now: float) -> Renewing:
        """A token by the refresh token that is held, or by a new one where that is not good."""
        if self._refresh and now < self._refresh.until:
            try:
                return (yield _asked("refreshToken", self._refresh.value, "token"))
            except AuthError:
                self._refresh = None  # it was withdrawn
        self._refresh = yield _asked("apiKey", self._key, "refreshToken", self._url)
        return (yield _asked("refreshToken", self._refresh.value, "token"))


def _asked(shown: str, value: str, brings: str, url: str = "") -> TokenRequest:
    names = TokenNames(brings, "tokenType", "expiresInSeconds")
    return TokenRequest({shown: value}, url=url, json=True, names=names)
