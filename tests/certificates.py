"""Certificates for tests: what a vendor shows, good and bad, and whom to trust."""

import ssl
import warnings
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import trustme

HOST = "127.0.0.1"
DAY = timedelta(days=1)


def shown(leaf: trustme.LeafCert) -> ssl.SSLContext:
    """What a server shows that has this certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    leaf.configure_cert(context)
    return context


def believing(*authorities: trustme.CA) -> Callable[[], ssl.SSLContext]:
    """In the place of the product's own: the same, with other authorities than the system's."""
    context = ssl.create_default_context(cadata=authorities[0].cert_pem.bytes().decode())
    for each in authorities:
        each.configure_trust(context)
    return lambda: context


def good(ours: trustme.CA) -> ssl.SSLContext:
    """All is well."""
    return shown(ours.issue_cert(HOST))


def expired(ours: trustme.CA) -> ssl.SSLContext:
    """It was valid until yesterday."""
    now = datetime.now(UTC)
    return shown(ours.issue_cert(HOST, not_before=now - 9 * DAY, not_after=now - DAY))


def not_yet_valid(ours: trustme.CA) -> ssl.SSLContext:
    """It is valid from tomorrow on."""
    now = datetime.now(UTC)
    return shown(ours.issue_cert(HOST, not_before=now + DAY, not_after=now + 9 * DAY))


def of_nobody_known(ours: trustme.CA) -> ssl.SSLContext:
    """Another authority made it."""
    return shown(trustme.CA().issue_cert(HOST))


def self_signed(ours: trustme.CA) -> ssl.SSLContext:
    """Its only authority is itself."""
    own, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with own.cert_pem.tempfile() as certificate, own.private_key_pem.tempfile() as key:
        context.load_cert_chain(certificate, key)
    return context


def of_another_name(ours: trustme.CA) -> ssl.SSLContext:
    """It is somebody else's."""
    return shown(ours.issue_cert("other.example", "127.0.0.2"))


def old(ours: trustme.CA) -> ssl.SSLContext:
    """TLS 1.1 and nothing newer, with a good certificate."""
    context = good(ours)
    context.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    return context


def mended(context: ssl.SSLContext, ours: trustme.CA) -> None:
    """From now on a good certificate is shown, by a protocol of today."""
    context.maximum_version = ssl.TLSVersion.TLSv1_3
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("DEFAULT")
    ours.issue_cert(HOST).configure_cert(context)
