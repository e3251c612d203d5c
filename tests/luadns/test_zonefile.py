"""Export and import of BIND zone files."""

from contextlib import suppress
from typing import Any

import dns.zone
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chalicelib import settings
from chalicelib.core.errors import Invalid
from chalicelib.luadns import contents, zonefile
from chalicelib.luadns.tables import Record, Zone
from tests.client import Reply
from tests.luadns.api import LuaDns, assert_invalid, key_for
from tests.worlds import embedded_only

FILE = """\
$TTL 1h
$ORIGIN example.com.
@   IN SOA ns.old.test. admin.old.test. ( 2024010101 ; serial
        3600 600 604800 300 )
    IN NS  ns.old.test.
    IN MX  10 mail
www 300 IN A 192.0.2.1
    60  IN A 192.0.2.2
mail    AAAA 2001:DB8::25
txt     TXT "two " "strings"
plain   TXT "semi; colon"
*       CNAME www
$ORIGIN sub.example.com.
deep    SRV 0 5 5060 sip.example.net.
;moonbase: alias.example.com. 90 IN ALIAS www.example.net.
;moonbase: go.example.com. 90 IN REDIRECT 0 https://example.net/a b
; an ordinary comment
"""
# A URL with a blank is invalid.
BAD_REDIRECT = ";moonbase: go.example.com. 90 IN REDIRECT 0 https://example.net/a b\n"


def send(dns: LuaDns, zone: int, text: str, **query: str) -> Reply:
    return dns("POST", f"/zones/{zone}/import", body=text.encode(), query=query, headers={"Content-Type": "text/dns"})


def fetch(dns: LuaDns, zone: int) -> str:
    reply = dns("GET", f"/zones/{zone}/export")
    assert (reply.status, reply.header("content-type")) == (200, "text/dns; charset=utf-8")
    assert reply.header("content-disposition") == 'attachment; filename="example.com.zone"'
    return reply.body.decode()


def test_a_zone_file_is_imported(dns: LuaDns, zone: int) -> None:
    reply = send(dns, zone, FILE.replace(BAD_REDIRECT, ""))
    assert reply.status == 200
    assert [(row["name"], row["type"], row["content"], row["ttl"]) for row in reply.json] == [
        ("example.com.", "MX", "10 mail.example.com.", 3600),
        ("www.example.com.", "A", "192.0.2.1", 300),
        ("www.example.com.", "A", "192.0.2.2", 60),
        ("mail.example.com.", "AAAA", "2001:db8::25", 3600),
        ("txt.example.com.", "TXT", '"two " "strings"', 3600),
        ("plain.example.com.", "TXT", "semi; colon", 3600),
        ("*.example.com.", "CNAME", "www.example.com.", 3600),
        ("deep.sub.example.com.", "SRV", "0 5 5060 sip.example.net.", 3600),
        ("alias.example.com.", "ALIAS", "www.example.net.", 90),
    ]
    assert ("alias.example.com.", "ALIAS", "www.example.net.") in dns.own(zone)
    assert "old.test" not in str(dns.get(f"/zones/{zone}/records"))


def test_the_export_is_a_standard_zone_file(dns: LuaDns, zone: int) -> None:
    dns.record(zone, "www.example.com.", "A", "192.0.2.1", ttl=60)
    dns.record(zone, "www.example.com.", "TXT", 'say "hi"; \\o/ ü')
    dns.record(zone, "example.com.", "ALIAS", "www.example.com.")
    dns.record(zone, "go.example.com.", "REDIRECT", "0 https://example.net/?a=;b")
    text = fetch(dns, zone)
    assert text == (
        "$ORIGIN example.com.\n"
        f"example.com. 3600 IN SOA ns1.localhost. hostmaster.localhost. {dns.serial(zone)} 1200 120 604800 3600\n"
        "example.com. 86400 IN NS ns1.localhost.\n"
        "example.com. 86400 IN NS ns2.localhost.\n"
        "www.example.com. 60 IN A 192.0.2.1\n"
        ";moonbase: example.com. 300 IN ALIAS www.example.com.\n"
        ";moonbase: go.example.com. 300 IN REDIRECT 0 https://example.net/?a=;b\n"
        'www.example.com. 300 IN TXT "say \\"hi\\"; \\\\o/ \\195\\188"\n'
    )
    read = dns_zone(text)
    assert sorted(str(name) for name in read.nodes) == ["@", "www"]


def dns_zone(text: str) -> dns.zone.Zone:
    return dns.zone.from_text(text, origin="example.com.")


def test_importing_an_export_changes_nothing(dns: LuaDns, zone: int) -> None:
    send(dns, zone, FILE.replace(BAD_REDIRECT, ""))
    before, serial = dns.get(f"/zones/{zone}/records"), dns.serial(zone)
    for mode in ("merge", "replace"):
        assert send(dns, zone, fetch(dns, zone), mode=mode).status == 200
    assert (dns.get(f"/zones/{zone}/records"), dns.serial(zone)) == (before, serial)


def test_an_import_replaces_the_record_sets_in_the_file(dns: LuaDns, zone: int) -> None:
    for name, content in (("www", "192.0.2.7"), ("www", "192.0.2.8"), ("other", "192.0.2.9")):
        dns.record(zone, name, "A", content)
    dns.record(zone, "www", "TXT", "stays")
    assert send(dns, zone, "www A 192.0.2.8\nwww A 192.0.2.1\n").status == 200
    assert dns.own(zone) == [
        ("other.example.com.", "A", "192.0.2.9"),
        ("www.example.com.", "A", "192.0.2.8"),
        ("www.example.com.", "A", "192.0.2.1"),
        ("www.example.com.", "TXT", "stays"),
    ]


def test_an_import_can_replace_the_whole_zone(dns: LuaDns, zone: int) -> None:
    dns.record(zone, "www", "TXT", "goes")
    assert send(dns, zone, "www A 192.0.2.1\n", mode="replace").status == 200
    assert dns.own(zone) == [("www.example.com.", "A", "192.0.2.1")]


@pytest.mark.parametrize(
    ("text", "field", "message"),
    [
        ("www A 192.0.2.1\nwww A 192.0.2.256\n", "line 2", "Text input is malformed."),
        ("www A\n", "line 1", "expecting an identifier"),
        ("\n\n$INCLUDE /etc/passwd\n", "line 3", "zone file directive '$INCLUDE' is not allowed"),
        ("$GENERATE 1-1000000 n$ A 192.0.2.1\n", "line 1", "zone file directive '$GENERATE' is not allowed"),
        ("www CH TXT x\n", "line 1", "RR class is not zone's class"),
        ("www NOSUCH x\n", "line 1", "unknown rdatatype 'NOSUCH'"),
        ("; fine\nwww DNSKEY 257 3 13 AAEC\n", "line 2", "www.example.com. DNSKEY: unsupported type DNSKEY"),
        ("www.example.net. A 192.0.2.1\n", "line 1", "www.example.net. A: name is not in the zone example.com"),
        ("www 4294967295 A 192.0.2.1\n", "line 1", "www.example.com. A: TTL must be between 0 and 2147483647"),
        ("(\n", "line 1", "unbalanced parentheses"),
        ('www TXT "open\n', "line 1", "newline in quoted string"),
        (";moonbase: www ALIAS x.\n", "line 1", ";moonbase: is followed by NAME TTL IN TYPE CONTENT"),
        (BAD_REDIRECT, "line 1", "go.example.com. REDIRECT: invalid REDIRECT content: it is a mode and a URL, such as "
         "0 https://example.com/"),
    ],
)  # fmt: skip
@embedded_only
def test_an_error_names_its_line_and_nothing_is_imported(
    dns: LuaDns, zone: int, text: str, field: str, message: str
) -> None:
    reply = send(dns, zone, f"{text}ok 60 A 192.0.2.1\n")
    assert_invalid(reply, {"fieldNames": [field], "message": message})
    assert dns.own(zone) == []


@embedded_only
def test_an_import_of_conflicting_records_is_rejected(dns: LuaDns, zone: int) -> None:
    reply = send(dns, zone, "www A 192.0.2.1\nwww CNAME example.net.\n")
    assert (reply.status, dns.own(zone)) == (400, [])


@embedded_only
def test_an_import_of_too_many_records_is_rejected(dns: LuaDns, zone: int) -> None:
    with settings.override(luadns_max_records=10):
        reply = send(dns, zone, "".join(f"n{number} A 192.0.2.1\n" for number in range(11)))
    assert (reply.status, reply.json["message"]) == (400, "A zone file has at most 10 records.")


@embedded_only
def test_an_import_that_is_not_text_or_too_long_is_rejected(dns: LuaDns, zone: int) -> None:
    assert dns("POST", f"/zones/{zone}/import", body=b"\xff\xfe").status == 400
    assert dns("POST", f"/zones/{zone}/import", body=b";" * (1024 * 1024 + 1)).status == 413
    assert send(dns, zone, "", mode="guess").status == 400
    assert send(dns, zone, "").json == []


@embedded_only
def test_an_import_supports_if_match(dns: LuaDns, zone: int) -> None:
    tag = dns("GET", f"/zones/{zone}/export").header("etag")
    dns.record(zone, "www", "A", "192.0.2.1")
    body = b"www A 192.0.2.2\n"
    assert dns("POST", f"/zones/{zone}/import", body=body, headers={"If-Match": str(tag)}).status == 412
    tag = dns("GET", f"/zones/{zone}/export").header("etag")
    assert dns("POST", f"/zones/{zone}/import", body=body, headers={"If-Match": str(tag)}).status == 200


@embedded_only
def test_another_account_s_zone_cannot_be_exported_or_imported(dns: LuaDns, zone: int, client: Any, bob: Any) -> None:
    other = key_for(client, bob)
    assert other("GET", f"/zones/{zone}/export").status == 404
    assert send(other, zone, "www A 192.0.2.1\n").status == 404


LABEL = st.text("abcz019-_", min_size=1, max_size=12).filter(lambda text: text.strip("-") == text)
HOST = st.lists(LABEL, min_size=1, max_size=3).map(lambda labels: ".".join(labels) + ".")
U16 = st.integers(0, 65535)
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=600)
QUOTED = st.lists(st.text('ab "\\;', max_size=20), min_size=1, max_size=3).map(
    lambda parts: " ".join('"' + part.replace("\\", "\\\\").replace('"', '\\"') + '"' for part in parts)
)
CONTENT = st.one_of(
    st.tuples(st.just("A"), st.ip_addresses(v=4).map(str)),
    st.tuples(st.just("AAAA"), st.ip_addresses(v=6).map(lambda address: str(address).upper())),
    st.tuples(st.sampled_from(["CNAME", "NS", "PTR", "ALIAS"]), HOST),
    st.tuples(st.just("MX"), st.builds("{} {}".format, U16, HOST)),
    st.tuples(st.just("SRV"), st.builds("{} {} {} {}".format, U16, U16, U16, HOST)),
    st.tuples(st.sampled_from(["TXT", "SPF"]), TEXT | QUOTED),
    st.tuples(st.just("CAA"), st.builds("{} {} {}".format, st.integers(0, 255), st.just("issue"), LABEL)),
    st.tuples(st.just("TLSA"), st.binary(min_size=1, max_size=40).map(lambda data: f"3 1 0 {data.hex()}")),
    st.tuples(st.just("REDIRECT"), LABEL.map(lambda label: f"0 https://{label}.example.net/?q=;x")),
    st.tuples(st.just("FORWARD"), LABEL.map(lambda label: f"{label}@example.net")),
)  # fmt: skip
RECORDS = st.lists(st.tuples(LABEL, st.integers(0, 2**31 - 1), CONTENT), max_size=8)


@given(RECORDS)
def test_export_and_import_preserve_every_record(rows: list[tuple[str, int, tuple[str, str]]]) -> None:
    zone = Zone("account#1", "zone#1", id=1, name="example.com", serial=7)
    found = [
        Record("account#1", str(number), id=number, name=f"{label}.example.com.", type=type_, content=content, ttl=ttl)
        for number, (label, ttl, (type_, content)) in enumerate(rows)
    ]
    read = [entry.draft for entry in zonefile.parse(zonefile.export(zone, found), "example.com")]
    meanings = [(draft.name, draft.ttl, draft.type, contents.canonical(draft.type, draft.content)) for draft in read]
    assert sorted(meanings) == sorted(
        (record.name, record.ttl, record.type, contents.canonical(record.type, record.content)) for record in found
    )


@given(st.text('$ORIGINTLCUDE()";\\@ \t\n.awx019:-', max_size=200))
def test_any_text_is_imported_or_rejected(text: str) -> None:
    with suppress(Invalid):
        zonefile.parse(text, "example.com")
