"""Settings of a webhook for every way of being let in; what is secret in them has a canary."""

from base64 import b64encode
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

KEY = (
    ec.generate_private_key(ec.SECP256R1())
    .private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    .decode()
)
CLIENT = {"token_url": "{url}/token", "client_id": "shop", "client_secret": "canary client+secret"}
WEBHOOK_SECRET = "whsec_" + b64encode(b"canary" * 5).decode()

SCHEMES: dict[str, dict[str, Any]] = {
    "bearer": {"auth": {"scheme": "bearer", "token": "canary-bearer"}},
    "basic": {"auth": {"scheme": "basic", "username": "shop", "password": 'canary "pass/word'}},
    "header": {"auth": {"scheme": "header", "name": "X-Thing", "value": "canary-header"}},
    "query": {"auth": {"scheme": "query", "name": "thing", "value": "canary&query=1"}},
    "client credentials": {"auth": {"scheme": "oauth2_client_credentials", **CLIENT}},
    "client credentials in the body": {
        "auth": {"scheme": "oauth2_client_credentials", "client_auth": "body", **CLIENT}
    },
    "refresh token": {
        "auth": {"scheme": "oauth2_refresh_token", "refresh_token": "canary-first", **CLIENT}
    },
    "service account": {
        "auth": {
            "scheme": "oauth2_service_account",
            "token_url": "{url}/token",
            "issuer": "shop",
            "algorithm": "ES256",
            "private_key": KEY,
        }
    },
    "hmac": {"signing": {"scheme": "hmac", "secret": "canary-hmac", "header": "X-Proof"}},
    "standard webhooks": {"signing": {"scheme": "standard_webhooks", "secrets": [WEBHOOK_SECRET]}},
}
