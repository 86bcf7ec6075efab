"""What a token endpoint is shown."""

import base64
import warnings
from typing import Any, ClassVar

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from destination.vendor.grants import (
    Client,
    ClientCredentials,
    RefreshToken,
    ServiceAccount,
    private_key,
)

RSA = rsa.generate_private_key(65537, 2048)
P256 = ec.generate_private_key(ec.SECP256R1())


def pem(key: Any, password: bytes = b"", form: PrivateFormat = PrivateFormat.PKCS8) -> str:
    """A private key as text."""
    hidden = BestAvailableEncryption(password) if password else NoEncryption()
    return key.private_bytes(Encoding.PEM, form, hidden).decode()


def public(key: Any) -> str:
    """Its public half."""
    form = PublicFormat.SubjectPublicKeyInfo
    return key.public_key().public_bytes(Encoding.PEM, form).decode()


BAD = {
    "empty": "",
    "nonsense": "nonsense",
    "cut": pem(RSA)[:-100],
    "rsa": pem(RSA),
    "p256": pem(P256),
    "p384": pem(ec.generate_private_key(ec.SECP384R1())),
    "ed25519": pem(ed25519.Ed25519PrivateKey.generate()),
    "locked rsa": pem(RSA, b"password"),
    "locked p256": pem(P256, b"password"),
    "public rsa": public(RSA),
    "public p256": public(P256),
}


class TestClient:
    """How a client shows its secret."""

    def test_in_basic(self):
        """Id and secret are form-encoded, then made into HTTP Basic; the form has neither."""
        client = Client("a b:c", "ü+/=%")

        encoded = client.headers()["Authorization"].removeprefix("Basic ")
        assert base64.b64decode(encoded) == b"a+b%3Ac:%C3%BC%2B%2F%3D%25"
        assert client.form() == {}

    def test_in_the_body(self):
        """Two parameters and no header."""
        client = Client("id", "secret", in_body=True)

        assert client.form() == {"client_id": "id", "client_secret": "secret"}
        assert client.headers() == {}

    def test_without_a_secret(self):
        """A public client shows its id."""
        assert Client("id").form() == {"client_id": "id"}
        assert Client("id").headers() == {}


def test_parameters_do_not_replace_the_grant():
    """What else is sent can neither name another grant nor another client."""
    more = {"grant_type": "password", "client_id": "x", "refresh_token": "x", "audience": "a"}

    credentials = ClientCredentials(Client("id", "s", in_body=True), more).form()
    refreshed = RefreshToken(Client("id"), "r", more).form()

    assert credentials["grant_type"] == "client_credentials"
    assert refreshed["grant_type"] == "refresh_token"
    assert refreshed["refresh_token"] == "r"
    assert {form["client_id"] for form in (credentials, refreshed)} == {"id"}
    assert {form["audience"] for form in (credentials, refreshed)} == {"a"}


@pytest.mark.parametrize("answer", [{}, {"refresh_token": ""}, {"refresh_token": 7}])
def test_a_refresh_token_stays_without_another(answer):
    """Only a text takes its place."""
    grant = RefreshToken(Client("id"), "r", {})
    grant.learn(answer)
    assert grant.form()["refresh_token"] == "r"


class TestServiceAccount:
    """An assertion, signed."""

    CLAIMS: ClassVar = {"iss": "me@example.com", "aud": "https://example.com/token", "scope": "a b"}

    @pytest.mark.parametrize(("key", "algorithm"), [(RSA, "RS256"), (P256, "ES256")])
    @pytest.mark.parametrize("form", [PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL])
    def test_it_verifies(self, key, algorithm, form):
        """The vendor finds the claims, good for five minutes, under the account's key."""
        made = private_key(pem(key, form=form), algorithm)
        account = ServiceAccount(
            self.CLAIMS, made, algorithm, key_id="k1", more={"x": "y"}, clock=lambda: 1000.5
        )

        form = dict(account.form())
        assertion = form.pop("assertion")

        assert form == {"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "x": "y"}
        header = jwt.get_unverified_header(assertion)
        assert header == {"alg": algorithm, "kid": "k1", "typ": "JWT"}
        options = {"verify_exp": False, "verify_iat": False}
        claims = jwt.decode(
            assertion, key.public_key(), [algorithm], options=options, audience=self.CLAIMS["aud"]
        )
        assert claims.pop("jti")
        assert claims == {**self.CLAIMS, "iat": 970, "exp": 1270}

    def test_no_two_are_alike(self):
        """A vendor that takes each assertion once takes the next one."""
        account = ServiceAccount(self.CLAIMS, P256, "ES256", more={}, clock=lambda: 0.0)

        assert account.form()["assertion"] != account.form()["assertion"]
        assert "kid" not in jwt.get_unverified_header(account.form()["assertion"])

    def test_line_breaks_may_be_written_out(self):
        """A key fits into a variable of the environment."""
        assert private_key(pem(P256).replace("\n", "\\n"), "ES256")

    @pytest.mark.parametrize(
        ("key", "algorithm"),
        [
            ("empty", "RS256"),
            ("nonsense", "ES256"),
            ("cut", "RS256"),
            ("rsa", "ES256"),
            ("p256", "RS256"),
            ("p384", "ES256"),
            ("ed25519", "ES256"),
            ("locked rsa", "RS256"),
            ("locked p256", "ES256"),
            ("public rsa", "RS256"),
            ("public p256", "ES256"),
        ],
    )
    def test_what_cannot_sign_is_refused(self, key, algorithm):
        """The error says what is expected, and nothing of what was given."""
        with pytest.raises(ValueError, match=f"must be a private key in PEM for {algorithm}"):
            private_key(BAD[key], algorithm)

    def test_a_short_key_is_refused(self):
        """RSA below 2048 bits is not safe."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            short = rsa.generate_private_key(65537, 1024)
        with pytest.raises(ValueError, match="2048"):
            private_key(pem(short), "RS256")
