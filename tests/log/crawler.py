"""A second verifier of the log, written from docs/log.md and the public specifications alone.

It imports nothing of Moonbase and nothing of moonbase-verify, so that both are compared with the text that clients get.
It reads a whole log, which a client never does, and believes nothing that it has not computed from the entries.
"""

import base64
import hashlib
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

Get = Callable[[str], bytes]

KINDS = {
    "luarocks": {"module", "version", "rock", "manifest"},
    "contentdb": {"package", "release", "screenshot", "review", "collection"},
    "hel": {"package", "file"},
}
ACTIONS = {"publish", "change", "archive", "restore", "transfer", "delete"}
NAMES = {"name", "version", "former_name"}
REQUIRED = {"v", "service", "kind", "action", "at", "actor", "files"}
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{6})?Z")
DIGEST = re.compile(r"[0-9a-f]{64}")
ESCAPES = {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t"}


class LogFault(ValueError):
    """The log breaks its specification, or contradicts itself or an older checkpoint."""


def require(condition: object, message: str) -> None:
    if not condition:
        raise LogFault(message)


@dataclass(frozen=True)
class SignedHead:
    origin: str
    size: int
    root: bytes


@dataclass(frozen=True)
class CrawledLog:
    head: SignedHead
    entries: list[dict[str, Any]]

    def has_file(self, service: str, work: str, name: str, sha256: str) -> bool:
        """True if an entry of the work publishes a file of this name and hash, also under a former name of the work."""
        for entry in reversed(self.entries):
            if (entry["service"], entry.get("name")) != (service, work):
                continue
            if any((file["name"], file["sha256"]) == (name, sha256) for file in entry["files"]):
                return True
            work = entry.get("former_name", work)
        return False


def crawl(get: Get, key: str, older: bytes | None = None, origin: str | None = None) -> CrawledLog:
    """Return all entries of the log; `get` answers paths such as "/log/checkpoint". LogFault if anything is wrong.

    `older` is a checkpoint that was kept: the log must extend its tree, and still serve its tiles. `origin` is that of
    the newest checkpoint, by default the name of the key.
    """
    head = read_checkpoint(get("/log/checkpoint"), key)
    require(head.origin == (origin or key.split("+")[0]), f"the checkpoint is of another log, {head.origin}")
    bodies = [body for path, width in tile_paths("entries", head.size) for body in bundle(get(path), width)]
    leaves = [hashlib.sha256(b"\0" + body).digest() for body in bodies]
    require(tree_hash(leaves) == head.root, "the entries do not have the root of the checkpoint")
    compare_tiles(get, leaves)
    if older is not None:
        kept = read_checkpoint(older, key)
        require(kept.size <= head.size, "the log is shorter than the older checkpoint")
        require(tree_hash(leaves[: kept.size]) == kept.root, "the log does not extend the older checkpoint")
        compare_tiles(get, leaves[: kept.size])
    return CrawledLog(head, [with_files(get, index, read_entry(body)) for index, body in enumerate(bodies)])


def read_checkpoint(note: bytes, key: str) -> SignedHead:
    """Return what a checkpoint says, after its signature by the key (`name+id+base64`) is verified."""
    name, key_id, encoded = key.split("+", 2)
    public = base64.b64decode(encoded, validate=True)
    require(public[:1] == b"\x01" and len(public) == 33, "the key is not for Ed25519")
    digest = hashlib.sha256(name.encode() + b"\n" + public).digest()[:4]
    require(digest.hex() == key_id, "the key does not have its own id")
    text, separator, signatures = note.decode().rpartition("\n\n")
    require(separator and signatures.endswith("\n"), "the checkpoint is not a signed note")
    body, verified = text + "\n", 0
    for line in signatures[:-1].split("\n"):
        dash, signer, signature = line.split(" ")
        raw = base64.b64decode(signature, validate=True)
        require(dash == "\u2014", "a line of the checkpoint is no signature")
        if (signer, raw[:4]) == (name, digest):
            verify_signature(public[1:], raw[4:], body.encode())
            verified += 1
    require(verified, "the key has not signed the checkpoint")
    origin, size, root = body[:-1].split("\n")
    require(re.fullmatch(r"0|[1-9][0-9]*", size), "the size is not a number")
    return SignedHead(origin, int(size), base64.b64decode(root, validate=True))


def verify_signature(public: bytes, signature: bytes, text: bytes) -> None:
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, text)
    except InvalidSignature:
        raise LogFault("the signature of the checkpoint is wrong") from None


def tree_hash(leaves: list[bytes]) -> bytes:
    """Return the Merkle tree hash of leaf hashes, by the recursion of RFC 6962, 2.1."""
    if len(leaves) < 2:
        return leaves[0] if leaves else hashlib.sha256(b"").digest()
    half = 1 << (len(leaves) - 1).bit_length() - 1
    return hashlib.sha256(b"\1" + tree_hash(leaves[:half]) + tree_hash(leaves[half:])).digest()


def tile_paths(level: str, count: int) -> Iterator[tuple[str, int]]:
    """Yield path and width of the tiles of a level that has so many hashes."""
    for start in range(0, count, 256):
        groups = f"{start // 256:,}".split(",")
        width = min(256, count - start)
        number = "/".join([f"x{int(group):03}" for group in groups[:-1]] + [f"{int(groups[-1]):03}"])
        yield f"/log/tile/{level}/{number}" + (f".p/{width}" if width < 256 else ""), width


def compare_tiles(get: Get, leaves: list[bytes]) -> None:
    """Compare every tile of every level with hashes computed from the leaves."""
    level, hashes = 0, leaves
    while hashes:
        for number, (path, width) in enumerate(tile_paths(str(level), len(hashes))):
            expected = hashes[256 * number : 256 * number + width]
            require(get(path) == b"".join(expected), f"{path} does not have the hashes of the entries")
        full = len(hashes) // 256
        level, hashes = level + 1, [tree_hash(hashes[256 * tile : 256 * (tile + 1)]) for tile in range(full)]


def bundle(raw: bytes, width: int) -> Iterator[bytes]:
    for _ in range(width):
        length = int.from_bytes(raw[:2], "big")
        require(len(raw) >= 2 + length > 2, "a bundle of entries is cut off")
        yield raw[2 : 2 + length]
        raw = raw[2 + length :]
    require(not raw, "a bundle has more than its entries")


def with_files(get: Get, index: int, entry: dict[str, Any]) -> dict[str, Any]:
    """Return an entry with the list of its files, which the JSON of its proof has if they do not fit."""
    stated = entry["files"]
    if isinstance(stated, list):
        return entry
    files = json.loads(get(f"/log/proof?index={index}&format=json"))["entry"]["files"]
    digest = hashlib.sha256(canonical(files).encode()).hexdigest()
    require(stated == {"count": len(files), "sha256": digest}, "a list of files is not the one that its entry names")
    return {**entry, "files": files}


def read_entry(body: bytes) -> dict[str, Any]:
    """Return an entry whose bytes are canonical and whose fields are those that docs/log.md names."""
    entry = json.loads(body)
    require(isinstance(entry, dict) and canonical(entry).encode() == body, f"an entry is not canonical: {body!r}")
    shown, keys = "work" not in entry, set(entry)
    allowed = REQUIRED | (NAMES if shown else {"work"})
    require(REQUIRED <= keys <= allowed, f"an entry has other fields: {sorted(keys)}")
    require(keys & {"name", "work"}, "an entry is of no work")
    require(entry["v"] == 1 and entry["kind"] in KINDS.get(entry["service"], ()), "an entry is of an unknown kind")
    require(entry["action"] in ACTIONS and TIME.fullmatch(entry["at"]), "an entry has no action or time")
    require(all(DIGEST.fullmatch(entry[key]) for key in keys & {"actor", "work"}), "a commitment is no hash")
    files = entry["files"]
    fields = {"name", "sha256", "size"} if shown else {"sha256", "size"}
    for file in files if isinstance(files, list) else [files]:
        require(set(file) == (fields if isinstance(files, list) else {"count", "sha256"}), f"odd file: {file}")
        require(DIGEST.fullmatch(file["sha256"]), "the hash of a file is no hash")
    return entry


def canonical(value: object) -> str:
    if isinstance(value, dict):
        return "{" + ",".join(f"{canonical(key)}:{canonical(value[key])}" for key in sorted(value)) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(canonical, value)) + "]"
    if isinstance(value, str):
        escaped = (ESCAPES.get(c) or (f"\\u{ord(c):04x}" if c < " " else c) for c in value)
        return '"' + "".join(escaped) + '"'
    require(type(value) is int, f"an entry has a value of another type: {value!r}")
    return str(value)
