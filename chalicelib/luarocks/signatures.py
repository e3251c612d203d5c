"""Detached signatures, which `luarocks upload --sign` sends and `install --verify` requests."""

from chalicelib.core.errors import Invalid

LARGEST = 16 * 1024
_FIRST, _LAST = b"-----BEGIN PGP SIGNATURE-----", b"-----END PGP SIGNATURE-----"


def check(content: bytes, field: str) -> bytes:
    """Return an ASCII-armoured signature unchanged; raises Invalid for other content.

    The client verifies the signer: it knows the trusted keys.
    """
    text = content.strip()
    if len(content) > LARGEST or not text.isascii() or not (text.startswith(_FIRST) and text.endswith(_LAST)):
        raise Invalid(f"{field} is not an ASCII-armoured PGP signature of at most {LARGEST} bytes")
    return content
