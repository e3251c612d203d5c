"""Zone files in Lua: each function with its defaults, templates, faults with file and line."""

import pytest

from chalicelib.luadns.language import evaluation, templates
from chalicelib.luadns.language.evaluation import Faulty

Row = tuple[str, str, str, int | None]
FILE = "example.com.lua"


def rows(source: str, library: str = "") -> list[Row]:
    found = evaluation.evaluate("example.com", [("templates.lua", library.encode()), (FILE, source.encode())])
    drafts = [statement.draft for statement in found.records]
    return [(draft.name, draft.type, draft.content, draft.ttl) for draft in drafts]


def faults(source: str, library: str = "") -> list[str]:
    with pytest.raises(Faulty) as caught:
        rows(source, library)
    return [str(fault) for fault in caught.value.faults]


@pytest.mark.parametrize(
    ("call", "row"),
    [
        ('a("www", "192.0.2.1")', ("www", "A", "192.0.2.1", None)),
        ('a(_a, "192.0.2.1", 60)', ("example.com", "A", "192.0.2.1", 60)),
        ('aaaa("", "2001:db8::1")', ("", "AAAA", "2001:db8::1", None)),
        ('alias("", "example.net")', ("", "ALIAS", "example.net.", None)),
        ('cname("www", _a)', ("www", "CNAME", "example.com.", None)),
        ('cname("www", "mail")', ("www", "CNAME", "mail.example.com.", None)),
        ('cname("www", "example.net.", 5)', ("www", "CNAME", "example.net.", 5)),
        ('ns("tokyo", concat("a.ns", _a))', ("tokyo", "NS", "a.ns.example.com.", None)),
        ('ptr(1, "router.example.net")', ("1", "PTR", "router.example.net.", None)),
        ('caa("", "letsencrypt.org")', ("", "CAA", "0 issue letsencrypt.org", None)),
        ('caa("", "x.org", "iodef", 128, 60)', ("", "CAA", "128 iodef x.org", 60)),
        ('ds("sub", 7, "ab")', ("sub", "DS", "7 13 2 ab", None)),
        ('ds("sub", 7, "ab", 8, 1, 60)', ("sub", "DS", "7 8 1 ab", 60)),
        ('forward("joe", "joe@example.net")', ("joe", "FORWARD", "joe@example.net", None)),
        ('redirect("old", "https://example.com/")', ("old", "REDIRECT", "0 https://example.com/", None)),
        ('redirect("old", "https://example.com/", 301, 60)', ("old", "REDIRECT", "301 https://example.com/", 60)),
        ('mx("", "mx.example.net")', ("", "MX", "0 mx.example.net.", None)),
        ('mx("*.user", "mx", "10", 60)', ("*.user", "MX", "10 mx.example.com.", 60)),
        ('spf("", "v=spf1 a ~all")', ("", "SPF", "v=spf1 a ~all", None)),
        ('txt("", "a \\\\ \\"b\\" \\x41")', ("", "TXT", 'a \\ "b" A', None)),
        ('srv("_imaps._tcp", "host", 993)', ("_imaps._tcp", "SRV", "0 0 993 host.example.com.", None)),
        ('srv("_x._tcp", ".", 0, 1, 2, 60)', ("_x._tcp", "SRV", "1 2 0 .", 60)),
        ('sshfp("", 4, "ab")', ("", "SSHFP", "4 1 ab", None)),
        ('sshfp("", 4, "ab", 2, 60)', ("", "SSHFP", "4 2 ab", 60)),
        ('tlsa("_443._tcp", 3, "ab")', ("_443._tcp", "TLSA", "3 1 1 ab", None)),
        ('tlsa("_443._tcp", 3, "ab", 0, 2, 60)', ("_443._tcp", "TLSA", "3 0 2 ab", 60)),
        ('record("x", "https", "1 . alpn=h2", 60)', ("x", "HTTPS", "1 . alpn=h2", 60)),
    ],
)
def test_each_function_has_its_defaults(call: str, row: Row) -> None:
    assert rows(call) == [row]


def test_a_secondary_has_an_address_if_its_host_is_in_the_zone() -> None:
    source = 'slave("ns1", "192.0.2.1") slave("ns2", "2001:db8::2")\nslave("ns.example.net", "192.0.2.3")'
    assert rows(source) == [
        ("", "NS", "ns1.example.com.", None),
        ("ns1.example.com.", "A", "192.0.2.1", None),
        ("", "NS", "ns2.example.com.", None),
        ("ns2.example.com.", "AAAA", "2001:db8::2", None),
        ("", "NS", "ns.example.net.", None),
    ]
    found = evaluation.evaluate("example.com", [(FILE, source.encode())])
    assert found.secondaries == [("192.0.2.1", 1), ("2001:db8::2", 1), ("192.0.2.3", 2)]


def test_a_zone_file_is_plain_lua() -> None:
    library = "function both(name, v4, v6, ttl)\n a(name, v4, ttl) aaaa(name, v6, ttl)\nend"
    source = """
        local hosts = { {"x", 1}, {"y", 2} }
        for _, host in ipairs(hosts) do
           both(host[1], "192.0.2." .. host[2], ("2001:db8::%d"):format(host[2]))
        end
        table.sort(hosts, function(x, y) return x[2] > y[2] end)
        txt("first", hosts[1][1]:upper() .. math.floor(2.5) .. #hosts)
    """
    assert [row[:3] for row in rows(source, library)] == [
        ("x", "A", "192.0.2.1"),
        ("x", "AAAA", "2001:db8::1"),
        ("y", "A", "192.0.2.2"),
        ("y", "AAAA", "2001:db8::2"),
        ("first", "TXT", "Y22"),
    ]


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        (1, [("MX", "1 smtp.google.com."), ("TXT", "v=spf1 include:_spf.google.com ~all")]),
        (
            2,
            [
                ("MX", "0 example-com.mail.protection.outlook.com."),
                ("CNAME", "autodiscover.outlook.com."),
                ("TXT", "v=spf1 include:spf.protection.outlook.com -all"),
            ],
        ),
        (
            3,
            [
                *(("A", f"185.199.{last}.153") for last in range(108, 112)),
                *(("AAAA", f"2606:50c0:800{last}::153") for last in range(4)),
            ],
        ),
        (
            4,
            [
                ("MX", "10 in1-smtp.messagingengine.com."),
                ("MX", "20 in2-smtp.messagingengine.com."),
                ("TXT", "v=spf1 include:spf.messagingengine.com ?all"),
                *(("CNAME", f"fm{key}.example.com.dkim.fmhosted.com.") for key in range(1, 4)),
            ],
        ),
        (5, [("A", "75.2.60.5")]),
    ],
)
def test_each_template_of_the_system_has_the_records_of_its_provider(
    template: int, expected: list[tuple[str, str]]
) -> None:
    found = templates.find(template)
    assert found
    assert [(draft.type, draft.content) for draft in templates.records_of(found, "example.com")] == expected


def test_templates_have_parameters() -> None:
    source = """
        local templates = require("templates")
        templates:github_pages("joe") templates:netlify("site") templates:microsoft_365("MS=ms1")
    """
    found = rows(source)
    assert ("www", "CNAME", "joe.github.io.", None) in found
    assert ("www", "CNAME", "site.netlify.app.", None) in found
    assert ("", "TXT", "MS=ms1", None) in found


@pytest.mark.parametrize(
    ("source", "fault"),
    [
        ("x =", "example.com.lua:1: unexpected symbol near '<eof>'"),
        ("\n\x1bLua", "example.com.lua:2: unexpected symbol near 'char(27)'"),
        ("\x1bLua", "example.com.lua: bytecode"),
        ("\nwhile true do end", "example.com.lua:2: too many instructions"),
        ("\nlocal s = ('x'):rep(1e9)", "example.com.lua: not enough memory"),
        ("foo()", "example.com.lua:1: attempt to call global 'foo' (a nil value)"),
        ("os.exit()", "example.com.lua:1: attempt to index global 'os' (a nil value)"),
        ('require("os")', "example.com.lua:1: require: there is no module os; the only one is templates"),
        ("\na('x')", "example.com.lua:2: a: ip is missing"),
        ("a({}, '192.0.2.1')", "example.com.lua:1: a: name must be a string, not a table"),
        ("mx('', 'mx', 70000)", "example.com.lua:1: mx: prio must be an integer from 0 to 65535"),
        ("mx('', 'mx', 1.5)", "example.com.lua:1: mx: prio must be an integer from 0 to 65535"),
        ("srv('', 'host')", "example.com.lua:1: srv: port must be an integer from 0 to 65535"),
        ("a('', '192.0.2.1', 'x')", "example.com.lua:1: a: ttl must be an integer from 0 to 2147483647"),
        ("error('no')", "example.com.lua:1: no"),
        ("error({})", "example.com.lua:1: table: "),
    ],
)
def test_a_fault_has_its_line(source: str, fault: str) -> None:
    (found,) = faults(source)
    assert found.startswith(fault)


def test_a_fault_in_a_template_has_the_line_of_the_zone_file() -> None:
    library = "function host(name, ip)\n local address = ip.v4\n a(name, address)\nend"
    assert faults("\n\nhost('x')", library) == [
        "example.com.lua:3: templates.lua:2: attempt to index local 'ip' (a nil value)"
    ]
    assert faults("\n\nhost('x', {})", library) == ["example.com.lua:3: a: ip is missing"]


def test_the_names_of_the_language_cannot_be_redefined() -> None:
    assert faults("", "\nfunction a() end") == [
        "templates.lua:2: a is a name of the language and cannot be redefined; use `local a` or another name"
    ]
    assert rows("local a = '192.0.2.1' aaaa('', '::1')") == [("", "AAAA", "::1", None)]


def test_one_evaluation_leaves_nothing_for_the_next() -> None:
    rows("left = 1 string.upper = nil")
    assert rows("txt('', tostring(left) .. ('x'):upper())") == [("", "TXT", "nilX", None)]


def test_thirteen_thousand_records_fit() -> None:
    assert len(rows("for i = 1, 13000 do a('host' .. i, '192.0.2.' .. i % 256) end")) == 13_000
