"""SMTP with TLS: from the beginning, or by STARTTLS before anything is sent, and never with an unknown certificate."""

import ssl
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from aiosmtpd.smtp import AuthResult
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from chalicelib import settings
from chalicelib.core.mail import transport
from chalicelib.core.mail.message import Mail
from chalicelib.core.outbound.sockets import tls_context
from tests.smtp import receiving

OTHER = "127.0.0.2"  # an address of this machine that counts as another one
MAIL = Mail("alice@example.org", "Hello", "Hi\n", "<p>Hi</p>\n", "1")


@pytest.fixture
def certificate(tmp_path: Path) -> ssl.SSLContext:
    """The context of a server with a certificate for OTHER, which signs itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name, today = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mail")]), datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), 1)
        .not_valid_before(today - timedelta(days=1))
        .not_valid_after(today + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(OTHER))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    file, private = tmp_path / "cert.pem", tmp_path / "key.pem"
    file.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file, private)
    return context


@pytest.fixture
def trusted(certificate: ssl.SSLContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ssl.SSLContext]:
    """The context, whose certificate the system trusts."""
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "cert.pem"))
    tls_context.cache_clear()
    yield certificate
    tls_context.cache_clear()


def accepting(given: list[bytes]) -> Callable[..., AuthResult]:
    """An authenticator that notes the passwords."""

    def check(server: object, session: object, envelope: object, mechanism: str, data: object) -> AuthResult:
        given.append(data.password)  # type: ignore[attr-defined]
        return AuthResult(success=True)

    return check


def with_password(url: str) -> str:
    return url.replace("//", "//user:secret@")


def test_tls_from_the_beginning(trusted: ssl.SSLContext) -> None:
    with (
        receiving(hostname=OTHER, ssl_context=trusted) as sink,
        settings.override(smtp_url=sink.url.replace("smtp:", "smtps:")),
    ):
        transport.send(MAIL)
    assert len(sink.mails) == 1


def test_starttls_is_used_before_a_password_and_the_mail(trusted: ssl.SSLContext) -> None:
    passwords: list[bytes] = []
    options = {"tls_context": trusted, "require_starttls": True, "authenticator": accepting(passwords)}
    with receiving(hostname=OTHER, **options) as sink, settings.override(smtp_url=with_password(sink.url)):
        transport.send(MAIL)
    assert (len(sink.mails), passwords) == (1, [b"secret"])


def test_a_certificate_that_is_not_trusted_gets_no_mail(certificate: ssl.SSLContext) -> None:
    with (
        receiving(hostname=OTHER, tls_context=certificate) as sink,
        pytest.raises(ssl.SSLCertVerificationError),
    ):
        transport.send(MAIL)
    assert sink.mails == []


def test_a_password_is_not_sent_without_tls() -> None:
    passwords: list[bytes] = []
    with (
        receiving(hostname=OTHER, auth_require_tls=False, authenticator=accepting(passwords)) as sink,
        settings.override(smtp_url=with_password(sink.url)),
        pytest.raises(OSError, match="STARTTLS extension not supported"),
    ):
        transport.send(MAIL)
    assert (sink.mails, passwords) == ([], [])


def test_another_machine_without_tls_gets_mails() -> None:
    with receiving(hostname=OTHER) as sink:
        transport.send(MAIL)
    assert len(sink.mails) == 1
