"""Whose certificates are believed."""

import functools
import ssl
from pathlib import Path

import httpx


@functools.cache
def trusted() -> ssl.SSLContext:
    """
    What TLS connections are made with: verified, at least TLS 1.2, by the system's authorities.

    ``SSL_CERT_FILE`` and ``SSL_CERT_DIR`` do not change whom to believe: an operator adds an
    authority to the system's store. Where the system has none, httpx's own list is used.
    """
    paths = ssl.get_default_verify_paths()
    file, folder = Path(paths.openssl_cafile), Path(paths.openssl_capath)
    if file.is_file() or (folder.is_dir() and any(folder.iterdir())):
        context = ssl.create_default_context(
            cafile=file if file.is_file() else None, capath=folder if folder.is_dir() else None
        )
    else:
        context = httpx.create_ssl_context(trust_env=False)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    return context
