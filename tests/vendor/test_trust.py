"""Whose certificates are believed."""

import ssl

import pytest

from destination.vendor import trust


def anew() -> ssl.SSLContext:
    """The context of a process that starts now."""
    return trust.trusted.__wrapped__()


def test_certificates_and_names_are_verified():
    """Chain and host name are checked, and TLS is at least 1.2."""
    context = anew()

    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2


def test_x4_the_environment_names_no_authorities(monkeypatch, tmp_path):
    """``SSL_CERT_FILE`` and ``SSL_CERT_DIR`` neither add authorities nor take the system's away."""
    before = anew().get_ca_certs()
    (tmp_path / "none.pem").touch()
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none.pem"))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))

    assert anew().get_ca_certs() == before


@pytest.mark.parametrize("folder", [True, False], ids=["empty", "missing"])
def test_a_system_without_authorities_has_some(monkeypatch, tmp_path, folder):
    """Where the system has no store, or an empty one, the list that comes with httpx serves."""
    if folder:
        (tmp_path / "certs").mkdir()
    paths = ssl.get_default_verify_paths()._replace(
        openssl_cafile=str(tmp_path / "cert.pem"), openssl_capath=str(tmp_path / "certs")
    )
    monkeypatch.setattr(ssl, "get_default_verify_paths", lambda: paths)

    context = anew()

    assert len(context.get_ca_certs()) > 50
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2


def test_it_is_read_once():
    """All destinations of a process share what was read."""
    assert trust.trusted() is trust.trusted()
