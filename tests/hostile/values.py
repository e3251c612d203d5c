"""Hostile values: texts, numbers, structures, headers and bytes that have broken parsers."""

from random import Random
from typing import Any

from tests.contentdb.files import picture, zipped
from tests.luarocks.builders import rock, rockspec

TEXTS = (
    *(
        "",
        " ",
        "\0",
        "a\0b",
        "\n",
        "\r\nSet-Cookie: a=b",
        "\t",
        "\x1b[31m",
        "\x7f",
        "\ufeff",
        "\u202e",
        "\ud800",
        "\u0130",
    ),
    *(
        "ä",
        "ﬁ",
        "e\u0301",
        "\U0001d518",
        "\U0001f469\u200d\U0001f467",
        "ٱ",
        "\u2028",
        "٣",
        "²",
        "İstanbul",
        "ß",
        "\u017f",
        "\U0010ffff",
        "\x80\xff",
    ),
    *("..", ".", "../../etc/passwd", "/etc/passwd", "a/../b", "%2e%2e%2f", "C:\\x", "a\\..\\b", "//host/x", "~root"),
    *("<script>alert(1)</script>", "'\"><img src=x>", "' OR 1=1 --", "{{7*7}}", "${jndi:x}", "$(id)", "`id`", "%s%n"),
    *("[[[[[[[[", "*" * 300, "|" * 300, "`" * 999, "![" * 200, "<" * 500, "(" * 400, "\\" * 300, "- " * 300, ">" * 300),
    *("javascript:alert(1)", "data:text/html,x", "http://[", "http://[::1", "http://a:99999", "https://127.0.0.1/x"),
    *(
        "http://169.254.169.254/",
        "file:///etc/passwd",
        "git://x/y",
        "ssh://x",
        "https://user:pw@x.invalid/",
        "http://\ud7ff",
    ),
    *(
        "null",
        "true",
        "undefined",
        "NaN",
        "-0",
        "1e999",
        "0x10",
        "1_000",
        " 1 ",
        "+1",
        "-1",
        "9" * 30,
        "9" * 5000,
        "1.5",
    ),
    *(
        "0",
        "00000000001",
        "2026-13-45",
        "0000-00-00",
        "99999-01-01T00:00:00Z",
        "1970-01-01",
        "1.0-1",
        "1.0-999999999999",
    ),
    *("^1.0 || <2", ">=" * 40, "*" * 9, "1." * 200, "~> 1", "scm-1", "1.0-1; os.exit()", "(((a+)+)+)+$", ".*.*.*.*x"),
    *(
        "#" * 7,
        "package#1",
        "catalogue",
        "account#1",
        "x" * 300,
        "y" * 5000,
        "ü" * 2000,
        "a," * 500,
        "admin",
        "root",
        "self",
    ),
)
NUMBERS = (
    0,
    -1,
    1,
    2**31,
    2**53 + 1,
    2**63,
    2**64,
    -(2**63) - 1,
    10**40,
    10**400,
    0.1,
    1e308,
    -1e-320,
    float("inf"),
    float("nan"),
)
TYPES = (
    *("application/json", "application/json; charset=nope", "application/x-www-form-urlencoded", "text/plain", ""),
    *("multipart/form-data; boundary=BoundaryQ", "multipart/form-data", 'multipart/form-data; boundary="', "*/*"),
    *(
        "application/octet-stream",
        "text/csv",
        "application/zip",
        "image/png",
        "text/x-lua",
        "application/json, text/html",
    ),
)
HEADERS = (
    *(
        "Host",
        "Origin",
        "Referer",
        "Sec-Fetch-Site",
        "X-Forwarded-Proto",
        "X-Forwarded-Host",
        "X-Forwarded-For",
        "Range",
    ),
    *("Forwarded", "If-Modified-Since", "If-None-Match", "If-Match", "If-Unmodified-Since", "If-Range", "Cookie"),
    *(
        "Content-Encoding",
        "Authorization",
        "Accept",
        "Accept-Encoding",
        "Accept-Language",
        "User-Agent",
        "X-CSRF-Token",
    ),
    *("X-TFA-Token", "X-TFA-Code", "Access-Control-Request-Method", "X-HTTP-Method-Override", "X-Upload-Content-Type"),
)
HEADER_VALUES = (
    *("[", "http://[", "https://[::1", "a:b:c", "null", "\x80\xff", "%zz", "*", "W/", '"', "gzip;q=99", "gzip;q=1e9"),
    *("Fri, 01 Jan 99999999999999999999 00:00:00 GMT", "Fri, 31 Dec 9999 23:59:59 -2359", "Thu, 01 Jan 1970 00:00:00"),
    *("bytes=-", "bytes=9-1", "bytes=0-" + "9" * 400, "9" * 5000, "-1", "\u00b2", "Basic", "Basic =", "Basic //79"),
    *(
        "Bearer",
        "Bearer  ",
        "Basic " + "A" * 5001,
        ";q=;q=",
        "=;=",
        "a=b; =; ;=c",
        "auth_tkt=",
        "text/html",
        "a" * 4000,
    ),
    *(
        "http://evil.example",
        "cross-site",
        "same-origin",
        "gzip",
        "text/html;q=0.9, */*;q=0.8",
        "Luanti/5.17.1 (Linux/6.1)",
    ),
)
QUERIES = (
    *(
        "q",
        "name",
        "user",
        "label",
        "package",
        "version",
        "slot",
        "done",
        "offset",
        "limit",
        "sort",
        "deep",
        "reason",
        "mode",
    ),
    *(
        "before",
        "code",
        "only_hard",
        "next",
        "sort_by",
        "sort_order",
        "groups",
        "query",
        "after",
        "type",
        "hide",
        "flag",
    ),
    *(
        "license",
        "tag",
        "author",
        "game",
        "fmt",
        "protocol_version",
        "engine_version",
        "formspec_version",
        "lang",
        "order",
    ),
    *(
        "include_images",
        "random",
        "rating",
        "is_positive",
        "page",
        "n",
        "start",
        "end",
        "for_user",
        "show_discarded",
        "key",
    ),
    *(
        "content_warning",
        "min_version",
        "max_version",
        "dev_state",
        "show",
        "size",
        "lua",
        "arch",
        "platform",
        "unknown",
        "",
    ),
)
GOOD_QUERIES = (
    *(
        "1",
        "5",
        "20",
        "mod",
        "game",
        "short",
        "keys",
        "vshort",
        "score",
        "desc",
        "asc",
        "true",
        "false",
        "name",
        "created",
    ),
    *(
        "5.17.1",
        "53",
        "MIT",
        "building",
        "say",
        "lamp",
        "-updated",
        "new",
        "update",
        "dependency",
        "en",
        "de",
        "1.0-1",
        "all",
    ),
)


def text(random: Random) -> str:
    """A hostile text, now and then two of them or a long one."""
    chosen = random.choice(TEXTS)
    if random.random() < 0.1:
        chosen += random.choice(TEXTS)
    return chosen * 40 if random.random() < 0.01 else chosen


def value(random: Random) -> Any:
    """A hostile JSON value."""
    kind = random.random()
    if kind < 0.5:
        return text(random)
    if kind < 0.75:
        return random.choice(NUMBERS)
    if kind < 0.85:
        return random.choice((None, True, False, [], {}, [[]], [None], {"": None}))
    if kind < 0.95:
        return random.choice(
            ([text(random)] * 3, {text(random): text(random)}, [{"id": text(random)}], {"a": {"b": [1]}})
        )
    return deep(random.choice((10, 63, 64, 65, 200)))


def deep(levels: int) -> Any:
    """A list in a list, of so many levels."""
    nested: Any = "x"
    for _ in range(levels):
        nested = [nested]
    return nested


def garbage(random: Random) -> bytes:
    """Bytes that no parser likes."""
    return random.choice(GARBAGE)


GARBAGE = (
    *(
        b"",
        b"[",
        b"{",
        b"{}",
        b"[]",
        b"null",
        b"0",
        b'"',
        b'"x"',
        b"\xff\xfe",
        b"\xef\xbb\xbf{}",
        b"NaN",
        b"[1e999]",
        b"-",
    ),
    *(b"[" * 5000, b'{"a":' * 5000, b'{"a":1,"a":2}', b'{"a":"\\ud800"}', b"1" * 5000, b"[" + b"1," * 20000 + b"1]"),
    *(
        b"a=b&c=%zz&&==&=",
        b"%00=%00",
        b"a=" * 3000,
        b"=" * 3000,
        b"--BoundaryQ",
        b"--BoundaryQ--",
        b"--BoundaryQ\r\n\r\n",
    ),
    *(
        b"\x1bLua" + b"\x51\x00\x01\x04" * 20,
        b"PK\x03\x04" + b"\xff" * 60,
        b"\x89PNG\r\n\x1a\n" + b"\0" * 40,
        b"GIF89a",
    ),
    *(b"x" * 70_000, b"\0" * 65_536, bytes(range(256)) * 8, b"name\n" * 2000, b'{"x":"' + b"y" * 60_000 + b'"}'),
)


def _bombs() -> tuple[bytes, ...]:
    many = {f"{number}.lua": "x" for number in range(300)}
    odd: dict[str, str | bytes] = {"../../x": "x", "/etc/x": "x", "a\\b": "x", "mod.conf": b"\xff\0 = \n[["}
    return zipped(many), zipped(odd), zipped({"zeros": b"\0" * 4_000_000}), zipped({"mod.conf": "name = " + "x" * 9000})


FILES = (
    *(rockspec("say", "1.0-1"), rockspec("say", "2.0-1"), rockspec("new-thing", "1.0-1"), rock("say", "1.0-1")),
    *(rock("say", "9.0-1"), rockspec("../x", "1.0-1"), rockspec("say", "1"), rockspec("\0", "1.0-1")),
    *(
        b"while true do end",
        b'package = ("x"):rep(1e9)',
        b"\x1bLua\x51",
        b"error(setmetatable({}, {}))",
        b"return " + b"{" * 500,
    ),
    *(b'package = "x" version = "1-1" source = {url = {}} dependencies = {{{}}, 1, false}', b"x = x .. nil"),
    *(
        zipped({"init.lua": "", "mod.conf": "name = lamps\n"}),
        zipped({}),
        picture(size=(64, 64)),
        picture("JPEG", (64, 64)),
    ),
    *(picture("WEBP", (32, 32)), picture("GIF", (2, 2)), picture("PNG", (1, 1)), picture(size=(2000, 3)), b"", b"\0"),
    *(
        b"GIF89a\xff\xff\xff\xff",
        picture(size=(64, 64))[:90],
        picture(size=(64, 64)) + b"<script>" * 9,
        b"<svg onload=x>",
    ),
    *_bombs(),
)
