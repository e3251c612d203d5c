"""BIND and NSD as secondaries of a running server: Debian's programs, each with one zone and a port of its own."""

import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import dns.exception
import dns.message
import dns.query
import dns.rcode
from dns.message import Message

from infra.ports import free_port

_BIND = """
options {{
    directory "{directory}"; listen-on port {port} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }}; recursion no;
    pid-file none; session-keyfile none; dnssec-validation no; minimal-responses no;
}};
controls {{ }};
{key}
zone "{zone}" {{
    type secondary; primaries port {primary} {{ 127.0.0.1{signed}; }}; file "zone"; masterfile-format text;
    allow-notify {{ {notifier}; }}; min-refresh-time 3600;
}};
"""
_BIND_KEY = 'key "{name}" {{ algorithm {algorithm}; secret "{secret}"; }};'

_NSD = """
server:
    ip-address: 127.0.0.1@{port}
    zonesdir: "{directory}"
    username: ""
    chroot: ""
    pidfile: "{directory}/pid"
    xfrdfile: "{directory}/xfrd"
    zonelistfile: "{directory}/zones"
    xfrdir: "{directory}"
    server-count: 1
remote-control:
    control-enable: no
{key}
zone:
    name: "{zone}"
    zonefile: "zone"
    request-xfr: 127.0.0.1@{primary} {key_name}
    allow-notify: 127.0.0.1 {key_name}
    min-refresh-time: 3600
"""
_NSD_KEY = 'key:\n    name: "{name}"\n    algorithm: {algorithm}\n    secret: "{secret}"\n'
PROGRAMS = {"bind": (_BIND, ("named", "-g", "-n", "1", "-c")), "nsd": (_NSD, ("nsd", "-d", "-c"))}


@contextmanager
def secondary(
    name: str, directory: Path, zone: str, primary: int, key: Mapping[str, str] | None = None, port: int | None = None
) -> Iterator[int]:
    """Run BIND or NSD with a zone of the name server on the port `primary`; yield its own port.

    `key` is a TSIG key, as the API returns a new one, that signs requests and must sign NOTIFY. The log is in
    `directory`.
    """
    template, command = PROGRAMS[name]
    directory.mkdir()
    port, conf = port or free_port(), directory / "conf"
    texts = {"directory": directory, "port": port, "zone": zone, "primary": primary, **_key_texts(name, key)}
    conf.write_text(template.format(**texts))
    with (directory / "log").open("wb") as log:
        process = subprocess.Popen([*command, str(conf)], stdout=log, stderr=log, cwd=directory)
        try:
            yield port
        finally:
            process.terminate()
            process.wait(20)


def _key_texts(program: str, key: Mapping[str, str] | None) -> dict[str, str]:
    """What the configuration of a program needs to use a TSIG key, or none."""
    if key is None:
        return {"key": "", "signed": "", "notifier": "127.0.0.1", "key_name": "NOKEY"}
    name = key["name"]
    template = _BIND_KEY if program == "bind" else _NSD_KEY
    return {
        "key": template.format(**key),
        "signed": f' key "{name}"',
        "notifier": f'key "{name}"',
        "key_name": name,
    }


def ask(port: int, name: str, type_: str) -> Message:
    """Query a name server of this machine by TCP."""
    return dns.query.tcp(dns.message.make_query(name, type_), "127.0.0.1", timeout=10, port=port)


def wait_for_serial(port: int, zone: str, serial: int, seconds: float = 60) -> None:
    """Return when a name server has a zone at this serial or a later one. Raises TimeoutError."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            answer = ask(port, zone, "SOA").answer
        except (OSError, EOFError, dns.exception.DNSException):
            answer = []
        if answer and answer[0][0].serial >= serial:
            return
        time.sleep(0.05)
    raise TimeoutError(f"the name server on port {port} does not have serial {serial} of {zone}")
