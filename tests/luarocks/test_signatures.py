"""Signatures of `luarocks upload --sign` are stored, and served for `install --verify`."""

import pytest

from chalicelib.luarocks import index
from tests.client import Client, Reply
from tests.luarocks.builders import rock, rockspec

SIGNATURE = b"-----BEGIN PGP SIGNATURE-----\n\niQEzBAABCAAdFiEE\n=abcd\n-----END PGP SIGNATURE-----\n"
OTHER = SIGNATURE.replace(b"iQEz", b"iQFz")


def publish(client: Client, key: str, signature: bytes | None = SIGNATURE) -> Reply:
    files = {"rockspec_file": ("say-1.0-1.rockspec", rockspec())}
    if signature is not None:
        files["rockspec_sig"] = ("say-1.0-1.rockspec.asc", signature)
    return client.post(f"/api/1/{key}/upload", files=files)


def test_signatures_are_served_next_to_their_files(client: Client, key: str) -> None:
    assert publish(client, key).status == 200
    files = {"rock_file": ("say-1.0-1.src.rock", rock()), "rock_sig": ("say-1.0-1.src.rock.asc", OTHER)}
    assert client.post(f"/api/1/{key}/upload_rock/1", files=files).status == 200
    for root in ("", "/dev", "/manifests/alice"):
        for name, signature in (("say-1.0-1.rockspec", SIGNATURE), ("say-1.0-1.src.rock", OTHER)):
            reply = client.get(f"{root}/{name}.asc")
            assert (reply.status, reply.body) == (200, signature)
            assert reply.header("content-type") == "application/pgp-signature"
            assert reply.header("last-modified") == client.get(f"/{name}").header("last-modified")
    files_shown = client.get("/api/1/modules/say").json["versions"][0]["files"]
    assert [file["signature_url"] for file in files_shown] == [
        "http://moonbase.test/say-1.0-1.rockspec.asc",
        "http://moonbase.test/say-1.0-1.src.rock.asc",
    ]


def test_unsigned_files_have_no_signature(client: Client, key: str) -> None:
    publish(client, key, None)
    assert client.get("/say-1.0-1.rockspec.asc").status == 404
    assert client.get("/manifest.asc").status == 404


def test_a_new_revision_drops_the_signature_of_the_old(client: Client, key: str) -> None:
    publish(client, key)
    publish(client, key, None)
    assert client.get("/say-1.0-1.rockspec.asc").status == 404
    publish(client, key, OTHER)
    assert client.get("/say-1.0-1.rockspec.asc").body == OTHER
    snapshot = index.catalogue.snapshot()
    assert index.catalogue.rebuild().entries["alice/say"].value == snapshot.entries["alice/say"].value


@pytest.mark.parametrize(
    "bad", [b"garbage", SIGNATURE[:-10], SIGNATURE + b"\xff", b"<html>" + SIGNATURE, SIGNATURE * 500]
)
def test_an_invalid_signature_is_rejected(client: Client, key: str, bad: bytes) -> None:
    reply = publish(client, key, bad)
    message = "rockspec_sig is not an ASCII-armoured PGP signature of at most 16384 bytes"
    assert (reply.status, reply.json) == (400, {"errors": [message]})
    assert index.catalogue.snapshot().entries == {}
