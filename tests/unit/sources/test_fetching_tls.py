"""HTTPS: the certificate must be good, and the time limit cuts encrypted connections too."""

from __future__ import annotations

import io
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from lookalike.services.adapters.url_fetching.fetcher import UrlFetcher
from lookalike.services.errors import PictureError
from tests.unit.sources.reading import LIMITS
from tests.unit.sources.web_server import GOOD, BadServer


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate that signs itself, with its key, for 127.0.0.1."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    path.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return path


@pytest.fixture(scope="module")
def server(certificate: Path) -> Iterator[BadServer]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with BadServer(context) as running:
        yield running


def fetched(url: str) -> bytes | str:
    sink = io.BytesIO()
    try:
        UrlFetcher(LIMITS, ["127.0.0.1/32"]).fetch(url, sink)
    except PictureError as error:
        return error.code
    return sink.getvalue()


@pytest.fixture
def trusted(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("requests.adapters.DEFAULT_CA_BUNDLE_PATH", str(certificate))


def test_a_certificate_that_nobody_vouches_for_is_refused(server: BadServer):
    assert fetched(f"{server.base}/good") == "fetch_failed"


@pytest.mark.usefixtures("trusted")
def test_pictures_are_fetched(server: BadServer):
    assert fetched(f"{server.base}/good") == GOOD


@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize("path", ["/slow-body", "/slow-headers", "/silent"])
def test_the_time_limit_holds(server: BadServer, path: str):
    assert fetched(server.base + path) == "fetch_timeout"
