"""The delay of `/healthz` while eight connections send the requests that cost most: `python -m bench.bombs`.

Prints a line per kind of request: how often it was answered, by status, its longest time, and the percentiles of the
time of `/healthz` meanwhile, in ms. The server has one worker, so that the requests cannot evade each other.
"""

import argparse
import http.client
import json
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from PIL import Image

from bench.servers import busy
from tests.luadns.api import basic
from tests.servers import Server, moonbase, serving

AT_ONCE = 8
SIZE = 64 * 1024
_FORM = b'--b\r\nContent-Disposition: form-data; name="title"\r\n\r\nx\r\n--b\r\nContent-Disposition: form-data; '


class Bomb(NamedTuple):
    """A request; `body` is made from the number of the request."""

    method: str
    path: str
    headers: dict[str, str]
    body: Callable[[int], bytes]


def main() -> None:
    """Measure each kind of request."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=10)
    options = parser.parse_args()
    print(busy())
    with tempfile.TemporaryDirectory() as directory, serving(Path(directory) / "data", "--workers", "1") as server:
        bombs = _bombs(server)
        _measure(server, "nothing", None, options.seconds)
        for name, bomb in bombs.items():
            _measure(server, name, bomb, options.seconds)


def _measure(server: Server, name: str, bomb: Bomb | None, seconds: float) -> None:
    statuses: Counter[int] = Counter()
    longest, delays, until = 0.0, [], time.monotonic() + seconds

    def attack(number: int) -> None:
        nonlocal longest
        assert bomb is not None
        while time.monotonic() < until:
            number += AT_ONCE
            took, status, _ = _send(server, bomb, number)
            statuses[status] += 1
            longest = max(longest, took)

    threads = [threading.Thread(target=attack, args=(number,)) for number in range(AT_ONCE if bomb else 0)]
    for thread in threads:
        thread.start()
    health = Bomb("GET", "/healthz", {}, lambda _: b"")
    while time.monotonic() < until:
        took, status, _ = _send(server, health, 0)
        assert status == 200
        delays.append(took * 1000)
        time.sleep(0.02)
    for thread in threads:
        thread.join()
    delays.sort()
    half, most, worst = (delays[int(len(delays) * part)] for part in (0.5, 0.99, 0.9999))
    print(
        f"{name:28} {dict(statuses)!s:24} {longest:6.1f} s   healthz {half:6.1f} {most:6.1f} {worst:6.1f}", flush=True
    )


def _send(server: Server, bomb: Bomb, number: int) -> tuple[float, int, bytes]:
    began = time.monotonic()
    connection = http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=120)
    try:
        connection.request(bomb.method, bomb.path, bomb.body(number), bomb.headers)
        answer = connection.getresponse()
        return time.monotonic() - began, answer.status, answer.read()
    finally:
        connection.close()


def _bombs(server: Server) -> dict[str, Bomb]:
    """The requests that cost most, in a server with an author and a zone."""
    moonbase(server.data, "user", "create", "alice", "--email", "alice@example.org")
    moonbase(server.data, "luadns", "enable", "alice")
    dns = str(moonbase(server.data, "key", "create", "alice", "--service", "luadns")["key"])
    token = str(moonbase(server.data, "key", "create", "alice", "--service", "contentdb")["key"])
    dns_headers = {"Authorization": basic("alice@example.org", dns), "Accept": "application/json"}
    cdb_headers = {"Authorization": f"Bearer {token}", "Content-Type": "multipart/form-data; boundary=b"}
    made = json.loads(_send(server, Bomb("POST", "/v1/zones", dns_headers, lambda _: b'{"name":"example.com"}'), 0)[2])
    zone = f"/v1/zones/{made['id']}"
    json_headers = {"Authorization": f"Bearer {token}"}
    draft = {"type": "MOD", "title": "Lamps", "short_description": "x", "license": "MIT", "media_license": "MIT"}
    _send(server, Bomb("POST", "/api/packages/alice/lamps/", json_headers, lambda _: json.dumps(draft).encode()), 0)
    markdown = {"Content-Type": "text/markdown"}

    def texts(unit: str) -> Callable[[int], bytes]:
        return lambda _: (unit * SIZE).encode()[:SIZE]

    def records(count: int) -> Callable[[int], bytes]:
        return lambda n: json.dumps(
            [{"name": f"h{n}-{each}", "type": "A", "content": "192.0.2.1"} for each in range(count)]
        ).encode()

    picture = _picture()
    upload = Bomb("POST", "/api/packages/alice/lamps/screenshots/new/", cdb_headers, lambda _: picture)
    shot = _send(server, upload, 0)
    thumbnail = json.loads(shot[2])["screenshot"]["url"].rpartition("/")[2]
    return {
        "markdown of tables": Bomb("POST", "/api/markdown/", {}, texts("a|b\n-|-\n")),
        "markdown of headings": Bomb("POST", "/api/markdown/", {}, texts("# a" + "b" * 8 + "\n")),
        "hypertext of mentions": Bomb("POST", "/api/hypertext/?formspec_version=7", markdown, texts("@abcde ")),
        "uploads of 6300 x 6300": upload,
        "thumbnails": Bomb("GET", f"/thumbnails/4/{thumbnail}", {}, lambda _: b""),
        "delete_many of 5,000": Bomb("POST", f"{zone}/records/delete_many", dns_headers, records(5000)),
        "create_many of 2,000": Bomb("POST", f"{zone}/records/create_many", dns_headers, records(2000)),
    }


def _picture() -> bytes:
    written = BytesIO()
    Image.new("RGB", (6300, 6300)).save(written, "PNG")
    file = b'name="file"; filename="a.png"\r\nContent-Type: image/png\r\n\r\n'
    return _FORM + file + written.getvalue() + b"\r\n--b--\r\n"


if __name__ == "__main__":
    main()
