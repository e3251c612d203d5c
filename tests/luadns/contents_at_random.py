"""Random records, most of them valid and many of them odd, for comparisons with other name servers."""

from base64 import b64encode
from random import Random
from typing import Any

_NAMES = (
    "",
    "@",
    "www",
    "a.b.c",
    "*",
    "*.wild",
    "sub",
    "x.sub",
    "_sip._tcp",
    "münchen",
    "straße.x",
    "A-b",
    "0",
    "1.2/3",
    "first\\.last",
    "below.first\\.last",
)
_TARGETS = (
    "a.example.",
    "www.fuzz.test.",
    "münchen.example.",
    "straße.de.",
    "*.example.",
    "_x._y.example.",
    ".",
    "B.Example.",
)
_LETTERS = "aZ0 ;\"'\\()@$.,=üß\t/#*"


def record(random: Random) -> dict[str, Any]:
    """A record as a client sends it."""
    type_ = random.choice(list(CONTENTS))
    content = CONTENTS[type_](random)
    name = random.choice(_NAMES) if random.random() < 0.6 else f"n{random.randrange(100)}"
    return {"name": name, "type": type_, "content": content, "ttl": random.choice((60, 300))}


def _number(random: Random, most: int) -> int:
    return random.choice((0, 1, most, random.randint(0, most)))


def _target(random: Random) -> str:
    return random.choice(_TARGETS)


def _hex(random: Random, size: int) -> str:
    return random.randbytes(size).hex()


def _text(random: Random) -> str:
    text = "".join(random.choice(_LETTERS) for _ in range(random.choice((1, 5, 20, 255, 300))))
    if random.random() < 0.4:
        escaped = text.replace("\\", "\\\\").replace('"', '\\"')
        return " ".join(f'"{part}"' for part in (escaped[:90], "b c", "") if len(part) < 91)
    return text


def _caa(random: Random) -> str:
    value = random.choice(
        ("letsencrypt.org", ";", "letsencrypt.org; validationmethods=dns-01", "mailto:a@example.org", "a b c", "x\\;y")
    )
    quoted = f'"{value}"' if random.random() < 0.5 else value
    return f"{random.choice((0, 128, 1))} {random.choice(('issue', 'issuewild', 'iodef', 'x1'))} {quoted}"


def _svcb(random: Random) -> str:
    parameters = random.choice(("", "alpn=h2,h3", "port=8443", "ipv4hint=192.0.2.1,192.0.2.2 port=53", 'key667="a b"'))
    return f"{random.choice((0, 1, 65535))} {_target(random)} {parameters}".strip()


CONTENTS = {
    "A": lambda random: f"192.0.2.{_number(random, 255)}",
    "AAAA": lambda random: random.choice(("::", "2001:DB8::1", "2001:db8:0:0:0:0:0:2", "::ffff:192.0.2.1")),
    "ALIAS": _target,
    "CAA": _caa,
    "CDNSKEY": lambda random: random.choice((f"257 3 13 {b64encode(random.randbytes(64)).decode()}", "0 3 0 AA==")),
    "CDS": lambda random: random.choice((f"1 13 2 {_hex(random, 32)}", "0 0 0 00")),
    "CERT": lambda random: f"PGP 0 0 {b64encode(random.randbytes(30)).decode()}",
    "CNAME": _target,
    "DNAME": _target,
    "DS": lambda random: f"{_number(random, 65535)} 13 {random.choice((1, 2))} {_hex(random, random.choice((20, 32)))}",
    "FORWARD": lambda random: "joe joe@example.org",
    "HINFO": lambda random: random.choice(('"PC" "Linux 6"', "PC Linux", '"a;b" "\\"c"')),
    "HTTPS": _svcb,
    "LOC": lambda random: random.choice(("52 22 23.000 N 4 53 32.000 E -2.00m 0.00m 10000m 10m", "1 S 2 W 0m", "x")),
    "MX": lambda random: f"{_number(random, 65535)} {_target(random)}",
    "NAPTR": lambda random: (
        f'{_number(random, 65535)} 10 "S" "SIP+D2U" "{random.choice(("", "!^.*$!a!"))}" {_target(random)}'
    ),
    "NS": _target,
    "OPENPGPKEY": lambda random: b64encode(random.randbytes(40)).decode(),
    "PTR": _target,
    "REDIRECT": lambda random: "0 https://example.org/",
    "RP": lambda random: " ".join((random.choice(("joe.example.org.", "joe\\.x.example.org.", ".")), _target(random))),
    "SMIMEA": lambda random: f"3 0 0 {_hex(random, 40)}",
    "SPF": _text,
    "SRV": lambda random: f"{_number(random, 65535)} 5 {_number(random, 65535)} {_target(random)}",
    "SSHFP": lambda random: f"4 2 {_hex(random, 32)}",
    "SVCB": _svcb,
    "TLSA": lambda random: f"3 1 1 {_hex(random, 32)}",
    "TXT": _text,
    "TYPE65280": lambda random: random.choice(("\\# 4 0a000001", "\\# 0", "0a", "\\# 3 00")),
    "URI": lambda random: f'{_number(random, 65535)} 1 "https://example.org/{random.choice(("", "a b", ";x"))}"',
}
