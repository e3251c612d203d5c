"""Changes of one record: responses, rejections, and the error format of each client."""

from typing import Any

import pytest
import time_machine

from chalicelib import settings
from chalicelib.core.identity import two_factor
from chalicelib.core.tables import Account
from tests.client import Client
from tests.luadns.api import LuaDns, assert_invalid, problem, stored
from tests.worlds import embedded_only

RSA = "v=DKIM1; k=rsa; p=" + "A" * 400


def create(dns: LuaDns, zone: int, **fields: Any) -> Any:
    return dns("POST", f"/zones/{zone}/records", {"name": "www", "type": "A", "content": "192.0.2.1", **fields})


def test_a_new_record_is_returned_byte_for_byte(dns: LuaDns, zone: int) -> None:
    with time_machine.travel(1_421_503_475.5, tick=False):
        reply = create(dns, zone, name="example.com.", type="MX", content="10 mail.example.com.", external_id="row 7")
    shown = (
        '{"id":4,"name":"example.com.","type":"MX","content":"10 mail.example.com.","ttl":300,"zone_id":1,'
        '"created_at":"2015-01-17T14:04:35.5Z","updated_at":"2015-01-17T14:04:35.5Z","external_id":"row 7"}'
    )
    assert (reply.status, reply.body.decode()) == (200, f"{shown}\n")
    assert dns("GET", "/zones/1/records/4").body.decode() == f"{shown}\n"
    assert dns.get("/zones/1/records")[3] == reply.json


def test_an_update_keeps_the_id_and_creation_time(dns: LuaDns, zone: int) -> None:
    before = dns.record(zone, "www", "A", "192.0.2.1", ttl=60, external_id="x")
    path = f"/zones/{zone}/records/{before['id']}"
    after = dns("PUT", path, {"name": "w2.example.com.", "type": "TXT", "content": "moved", "id": 99}).json
    assert {**after, "updated_at": ""} == {
        **before,
        "name": "w2.example.com.",
        "type": "TXT",
        "content": "moved",
        "updated_at": "",
    }
    assert after["updated_at"] > before["updated_at"]
    assert dns.get(path) == after
    assert dns.own(zone) == [("w2.example.com.", "TXT", "moved")]
    last = dns("PUT", path, {"name": "w2", "type": "TXT", "content": "moved", "ttl": 1, "external_id": ""}).json
    assert (last["ttl"], "external_id" in last) == (1, False)


def test_a_deletion_returns_the_record(dns: LuaDns, zone: int) -> None:
    record = dns.record(zone, "www", "A", "192.0.2.1")
    path = f"/zones/{zone}/records/{record['id']}"
    assert dns("DELETE", path, record).json == record
    for method in ("GET", "DELETE"):
        reply = dns(method, path)
        assert (reply.status, reply.json["message"]) == (404, "Record not found.")
    assert dns.own(zone) == []
    assert dns.get(f"/zones/{zone}")["records_count"] == 3


def test_a_record_of_another_zone_is_not_found_in_this_one(dns: LuaDns, zone: int) -> None:
    record = dns.record(dns.zone("example.org"), "www", "A", "192.0.2.1")
    assert dns("GET", f"/zones/{zone}/records/{record['id']}").json["message"] == "Record not found."


def test_unset_fields_of_go_clients_are_ignored(dns: LuaDns, zone: int) -> None:
    noise = {"id": 0, "zone_id": 0, "created_at": "0001-01-01T00:00:00Z", "updated_at": "0001-01-01T00:00:00Z"}
    reply = create(dns, zone, **noise, **{":id": "7", "generated": True, "ttl": None, "external_id": None})
    assert (reply.status, reply.json["ttl"], reply.json["zone_id"]) == (200, 300, zone)
    assert "external_id" not in reply.json


GOOD = [
    ("A", "192.0.2.1"),
    ("AAAA", "2001:DB8::1"),
    ("AAAA", "2001:0db8:0:0:0:0:0:1"),
    ("ALIAS", "elsewhere.example."),
    ("CAA", "0 issue letsencrypt.org"),
    ("CAA", '0 issue "letsencrypt.org; validationmethods=dns-01"'),
    ("CAA", "0 issue letsencrypt.org; validationmethods=dns-01"),
    ("CAA", '128 iodef "mailto:a@b.example"'),
    ("CDNSKEY", "0 3 0 AA=="),
    ("CDS", "0 0 0 00"),
    ("CERT", "PGP 0 0 AAEC"),
    ("CNAME", "Elsewhere.Example."),
    ("DNAME", "elsewhere.example."),
    ("HINFO", '"PC" "Linux 6"'),
    ("LOC", "52 22 23.000 N 4 53 32.000 E -2.00m 0.00m 10000m 10m"),
    ("OPENPGPKEY", "AAECAwQ="),
    ("RP", "joe\\.x.example.org. ."),
    ("SMIMEA", "3 0 0 " + "ab" * 20),
    ("TYPE65280", "\\# 4 0a000001"),
    ("URI", '10 1 "https://example.org/"'),
    ("CNAME", "münchen.example."),
    ("DS", "11821 13 2 E8550CBE1E954C9EE9C92C78CCE5141F86A72FCB98A5BDA570A5F6F0BBE6B16D"),
    ("FORWARD", "joe@elsewhere.example"),
    ("HTTPS", '1 . alpn="h2,h3"'),
    ("HTTPS", "0 elsewhere.example."),
    ("MX", "10 mail.example.com."),
    ("MX", "0 ."),
    ("NAPTR", '100 10 "S" "SIP+D2U" "!^.*$!sip:a@b.example!" .'),
    ("NS", "ns.elsewhere.example."),
    ("PTR", "host.example.com."),
    ("REDIRECT", "0 https://elsewhere.example/a?b=c"),
    ("REDIRECT", "301 http://elsewhere.example"),
    ("SPF", "v=spf1 -all"),
    ("SRV", "0 5 5060 sip.example.com."),
    ("SRV", "0 0 0 ."),
    ("SSHFP", "4 2 " + "ab" * 32),
    ("SVCB", "1 svc.example.com. port=853 ipv4hint=192.0.2.1"),
    ("TLSA", "3 1 1 " + "0B" * 32),
    ("TXT", "hello"),
    ("TXT", "trailing blanks  "),
    ("TXT", " \"one\" 'two' `three` ; not a comment"),
    ("TXT", '"quoted" "in parts"'),
    ("TXT", '"'),
    ("TXT", "back\\slash"),
    ("TXT", "日本語 ü"),
    ("TXT", "x" * 255),
    ("TXT", "x" * 256),
    ("TXT", "x" * 513),
    ("TXT", f'"{RSA}"'),
    ("TXT", "x" * 60_000),
]


@pytest.mark.parametrize(("type", "content"), GOOD, ids=lambda value: str(value)[:30])
@embedded_only
def test_content_comes_back_byte_for_byte(dns: LuaDns, zone: int, type: str, content: str) -> None:
    made = dns.record(zone, "host", type, content)
    assert (made["type"], made["content"]) == (type, content)
    assert dns.get(f"/zones/{zone}/records/{made['id']}") == made


BAD = [
    ("A", "bad", "invalid IPv4 address"),
    ("A", "192.0.2.256", "invalid IPv4 address"),
    ("A", "192.0.2.01", "invalid IPv4 address"),
    ("A", " 192.0.2.1", "invalid IPv4 address"),
    ("A", "\\# 4 c0000201", "invalid IPv4 address"),
    ("AAAA", "192.0.2.1", "invalid IPv6 address"),
    ("AAAA", "fe80::1%eth0", "invalid IPv6 address"),
    ("ALIAS", "elsewhere.example", "ALIAS target must be a fully qualified name that ends with a dot"),
    ("CNAME", "elsewhere.example", "CNAME target must be a fully qualified name that ends with a dot"),
    ("CNAME", "@", "CNAME target must be a fully qualified name that ends with a dot"),
    ("CNAME", "a..b.", "invalid CNAME content: A DNS label is empty."),
    ("CNAME", "a. b.", 'invalid CNAME content: expected EOL or EOF, got 3 "b."'),
    ("CNAME", "a.\nb.", "invalid CNAME content"),
    ("CNAME", "a. ; comment", "invalid CNAME content"),
    ("CNAME", "(a.)", "invalid CNAME content"),
    ("CNAME", f"{'a' * 64}.", "invalid CNAME content: A DNS label is > 63 octets long."),
    ("MX", "mail.example.com.", "invalid MX content: expecting an integer"),
    ("MX", "70000 mail.example.com.", "invalid MX content: 70000 is not an unsigned 16-bit integer"),
    ("MX", "10 mail", "MX target must be a fully qualified name that ends with a dot"),
    ("MX", "\\# 4 c0000201", "invalid MX content"),
    ("SRV", "0 5 sip.example.com.", "invalid SRV content: expecting an integer"),
    ("SRV", "0 5 5060 sip", "SRV target must be a fully qualified name that ends with a dot"),
    ("DNAME", "elsewhere", "DNAME target must be a fully qualified name that ends with a dot"),
    ("TYPE65280", "0a000001", "invalid TYPE65280 content"),
    ("TYPE65280", "\\# 3 0a000001", None),
    ("URI", "10 1 x y", None),
    ("CAA", "x issue a", "invalid CAA content: expecting an integer"),
    ("CAA", "0 issue", "invalid CAA content: expecting a string"),
    ("DS", "1 13 2 abcd", "invalid DS content: digest length inconsistent with digest type"),
    ("SSHFP", "4 2 abcd", "invalid SSHFP content: fingerprint length inconsistent with fingerprint type"),
    ("TLSA", "3 1 1 zz", "invalid TLSA content: Non-hexadecimal digit found"),
    ("HTTPS", "1 . nonsense=1", "invalid HTTPS content: Unknown SVCB ParamKey"),
    (
        "REDIRECT",
        "0 ftp://a.example",
        "invalid REDIRECT content: it is a mode and a URL, such as 0 https://example.com/",
    ),
    ("REDIRECT", "0 https://", "invalid REDIRECT content: it is a mode and a URL, such as 0 https://example.com/"),
    ("FORWARD", "nobody", "invalid FORWARD content: it is a mailbox such as joe@example.com"),
    ("TXT", '"\\999"', "invalid TXT content: Text input is malformed."),
    ("TXT", "x" * 64_001, "content has more than 64000 bytes"),
    ("TXT", "ü" * 40_000, "content has more than 64000 bytes"),
]


@pytest.mark.parametrize(("type", "content", "message"), BAD, ids=lambda value: str(value)[:30])
@embedded_only
def test_invalid_content_is_rejected_with_a_reason(
    dns: LuaDns, zone: int, type: str, content: str, message: str
) -> None:
    before = stored()
    reply = create(dns, zone, type=type, content=content)
    assert_invalid(reply, problem("content", message or reply.json["errors"][0]["message"]))
    assert stored() == before


@pytest.mark.parametrize(
    ("name", "type", "content", "field"),
    [
        ("*.x", "NS", "ns.example.", "name"),
        ("*", "DNAME", "x.example.", "name"),
        ("", "DS", "1 13 2 " + "ab" * 32, "name"),
        ("", "CDS", "1 13 2 " + "ab" * 32, "content"),
        ("", "CDNSKEY", "257 3 13 AAEC", "content"),
    ],
)
@embedded_only
def test_what_other_name_servers_refuse_is_rejected(
    dns: LuaDns, zone: int, name: str, type: str, content: str, field: str
) -> None:
    reply = create(dns, zone, name=name, type=type, content=content)
    assert (reply.status, [each["fieldNames"] for each in reply.json["errors"]]) == (400, [[field]])


@embedded_only
def test_there_are_no_records_below_a_dname(dns: LuaDns, zone: int) -> None:
    below = problem("name", "there can be no records below a DNAME record")
    dname = dns.record(zone, "old", "DNAME", "new.example.")
    assert_invalid(create(dns, zone, name="www.old"), below)
    dns.record(zone, "older", "A", "192.0.2.1")
    dns("DELETE", f"/zones/{zone}/records/{dname['id']}")
    dns.record(zone, "www.old", "A", "192.0.2.1")
    assert_invalid(create(dns, zone, name="old", type="DNAME", content="new.example."), below)
    assert_invalid(create(dns, zone, name="", type="DNAME", content="new.example."), below)


@embedded_only
def test_a_record_set_fits_one_message(dns: LuaDns, zone: int) -> None:
    for number in range(6):
        dns.record(zone, "big", "TXT", f"{number}" + "x" * 10_000)
    message = "the TXT records of one name do not fit one DNS message"
    assert_invalid(create(dns, zone, name="big", type="TXT", content="y" * 6_000), problem("content", message))
    dns.record(zone, "big", "TXT", "y" * 1_000)


@pytest.mark.parametrize(
    "type", ["SLAVE", "AXFR", "ANY", "DNSKEY", "TYPE1", "TYPE255", "TYPE70000", "TYPE065280", "TYPE", "x" * 1000, "A A"]
)
@embedded_only
def test_an_unsupported_type_is_rejected(dns: LuaDns, zone: int, type: str) -> None:
    assert_invalid(create(dns, zone, type=type), problem("type", f"unsupported type {type.upper()[:20]}"))


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("www.example.com.", "www.example.com."),
        ("WWW.Example.com.", "WWW.Example.com."),
        ("www.example.com", "www.example.com."),
        ("www", "www.example.com."),
        ("a.b.c", "a.b.c.example.com."),
        ("", "example.com."),
        ("@", "example.com."),
        ("example.com.", "example.com."),
        ("*", "*.example.com."),
        ("first\\.last", "first\\.last.example.com."),
        ("x.first\\.last.example.com.", "x.first\\.last.example.com."),
        ("x\\.example.com", "x\\.example.com.example.com."),
        ("*.x.example.com.", "*.x.example.com."),
        ("_acme-challenge", "_acme-challenge.example.com."),
        ("xn--bcher-kva", "xn--bcher-kva.example.com."),
        ("bücher", "xn--bcher-kva.example.com."),
        ("_sip._tcp.BÜCHER.example.com.", "_sip._tcp.xn--bcher-kva.example.com."),
        ("example.org", "example.org.example.com."),
    ],
)
@embedded_only
def test_a_relative_name_becomes_absolute(dns: LuaDns, zone: int, given: str, name: str) -> None:
    assert dns.record(zone, given, "TXT", "x")["name"] == name


@pytest.mark.parametrize(
    "name",
    [
        "a b",
        "a..b",
        ".",
        "a$",
        'a"b',
        "a\n",
        "x" * 64,
        "a." * 130,
        "\0",
        "..example.com.",
        "☃" * 300,
        "-\u00ad-",
    ],
)
@embedded_only
def test_an_invalid_name_is_rejected(dns: LuaDns, zone: int, name: str) -> None:
    assert_invalid(create(dns, zone, name=name), problem("name", "invalid name"))


@pytest.mark.parametrize("name", ["example.org.", "com.", "badexample.com.", "example.com.org."])
def test_a_name_outside_the_zone_is_rejected(dns: LuaDns, zone: int, name: str) -> None:
    assert_invalid(create(dns, zone, name=name), problem("name", "name is not in the zone example.com"))


@pytest.mark.parametrize("ttl", [1, 10, 60, 2**31 - 1])
@embedded_only
def test_a_ttl_is_stored_unchanged(dns: LuaDns, zone: int, ttl: int) -> None:
    assert create(dns, zone, ttl=ttl).json["ttl"] == ttl


@embedded_only
def test_a_ttl_of_0_is_unset(dns: LuaDns, zone: int) -> None:
    made = create(dns, zone, ttl=0).json
    assert made["ttl"] == 300
    path = f"/zones/{zone}/records/{made['id']}"
    assert dns("PUT", path, {**made, "ttl": 60}).json["ttl"] == 60
    assert dns("PUT", path, {**made, "ttl": 0}).json["ttl"] == 60


@pytest.mark.parametrize("ttl", [-1, 2**31, 2**63 - 1, -(2**63)])
@embedded_only
def test_an_invalid_ttl_is_rejected(dns: LuaDns, zone: int, ttl: int) -> None:
    assert_invalid(create(dns, zone, ttl=ttl), problem("ttl", "TTL must be between 0 and 2147483647"))


@pytest.mark.parametrize(
    ("field", "value", "kind", "type"),
    [
        ("ttl", "300", "string", "int"),
        ("ttl", 1.5, "number", "int"),
        ("ttl", True, "bool", "int"),
        ("ttl", 10**30, "number", "int"),
        ("name", 7, "number", "string"),
        ("content", ["a"], "array", "string"),
        ("type", {}, "object", "string"),
        ("external_id", 7, "number", "string"),
    ],
)
@embedded_only
def test_a_wrong_field_type_gets_go_s_error_text(
    dns: LuaDns, zone: int, field: str, value: Any, kind: str, type: str
) -> None:
    message = f"json: cannot unmarshal {kind} into Go struct field RecordForm.{field} of type {type}"
    assert_invalid(create(dns, zone, **{field: value}), problem(field, message, "DeserializationError"))


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "The body is not JSON."),
        (b"{", "The body is not JSON."),
        (b"\xff", "The body is not JSON."),
        (b'{"name":"\\ud800"}', "The body is not JSON."),
        (b"[" * 2000, "The body is not JSON."),
        (b"[]", "json: cannot unmarshal array into Go value of type RecordForm"),
        (b"7", "json: cannot unmarshal number into Go value of type RecordForm"),
        (b"null", "json: cannot unmarshal null into Go value of type RecordForm"),
    ],
)
@embedded_only
def test_a_body_that_is_not_an_object_is_rejected(dns: LuaDns, zone: int, body: bytes, message: str) -> None:
    expected = {"fieldNames": [], "classification": "DeserializationError", "message": message}
    assert_invalid(dns("POST", f"/zones/{zone}/records", body=body), expected)


def test_each_missing_field_is_reported(dns: LuaDns, zone: int) -> None:
    reply = dns("POST", f"/zones/{zone}/records", {"content": ""})
    assert_invalid(reply, *(problem(field, "Required", "RequiredError") for field in ("name", "type", "content")))


def test_all_problems_are_reported_at_once(dns: LuaDns, zone: int) -> None:
    reply = create(dns, zone, name="a b", content="x", ttl=-1)
    problems = [
        ("name", "invalid name"),
        ("content", "invalid IPv4 address"),
        ("ttl", "TTL must be between 0 and 2147483647"),
    ]
    assert_invalid(reply, *(problem(field, message) for field, message in problems))
    assert reply.json["message"] == "; ".join(f"{field}: {message}" for field, message in problems)


CNAME_CONFLICT = problem("name", "CNAME record cannot exist beside other records of the same name")
EXISTS = problem("content", "record exists already")


def test_a_cname_excludes_other_records_at_its_name(dns: LuaDns, zone: int) -> None:
    dns.record(zone, "alias", "CNAME", "elsewhere.example.")
    dns.record(zone, "host", "A", "192.0.2.1")
    before = stored()
    assert_invalid(create(dns, zone, name="ALIAS"), CNAME_CONFLICT)
    assert_invalid(create(dns, zone, name="alias", type="CNAME", content="other.example."), CNAME_CONFLICT)
    assert_invalid(create(dns, zone, name="host", type="CNAME", content="other.example."), CNAME_CONFLICT)
    assert_invalid(create(dns, zone, name="", type="CNAME", content="other.example."), CNAME_CONFLICT)
    assert stored() == before


def test_an_update_can_turn_the_only_record_into_a_cname(dns: LuaDns, zone: int) -> None:
    record = dns.record(zone, "host", "A", "192.0.2.1")["id"]
    reply = dns("PUT", f"/zones/{zone}/records/{record}", {"name": "host", "type": "CNAME", "content": "a.example."})
    assert reply.status == 200
    assert dns.own(zone) == [("host.example.com.", "CNAME", "a.example.")]


@pytest.mark.parametrize(
    ("type", "first", "second"),
    [
        ("A", "192.0.2.1", "192.0.2.1"),
        ("AAAA", "::1", "0:0::1"),
        ("MX", "10 Mail.example.com.", "10 mail.example.com."),
        ("CAA", "0 issue a.example", '0 issue "a.example"'),
        ("TXT", "a", '"a"'),
    ],
)
def test_an_equivalent_record_is_rejected(dns: LuaDns, zone: int, type: str, first: str, second: str) -> None:
    dns.record(zone, "www", type, first)
    before = stored()
    assert_invalid(create(dns, zone, name="WWW", type=type, content=second, ttl=5), EXISTS)
    assert stored() == before


def test_a_name_can_have_several_records_of_one_type(dns: LuaDns, zone: int) -> None:
    ids = {dns.record(zone, "www", "A", f"192.0.2.{n}")["id"] for n in range(3)}
    assert len(ids) == 3
    assert [content for _, _, content in dns.own(zone)] == ["192.0.2.0", "192.0.2.1", "192.0.2.2"]


@pytest.mark.parametrize("letter", ["ü", "\U0001f600"])
@embedded_only
def test_the_records_of_a_name_must_fit_in_one_item(dns: LuaDns, zone: int, letter: str) -> None:
    text = letter * (60_000 // len(letter.encode()))
    dns.record(zone, "big", "TXT", text)
    reply = create(dns, zone, name="big", type="SPF", content=text)
    assert_invalid(reply, problem("content", "too much content at one name"))


def test_the_number_of_records_in_a_zone_is_limited(dns: LuaDns, zone: int) -> None:
    with settings.override(luadns_max_records=4):
        record = dns.record(zone, "a", "A", "192.0.2.1")["id"]
        reply = create(dns, zone)
        assert (reply.status, reply.json["message"]) == (403, "A zone has at most 4 records.")
        assert dns("DELETE", f"/zones/{zone}/records/{record}").status == 200
    with settings.override(luadns_max_records=1):
        assert dns("PUT", f"/zones/{zone}/records/1", soa("7")).status == 200


def soa(minimum: str) -> dict[str, Any]:
    content = f"ns1.localhost. me.example.com. 1 1200 120 604800 {minimum}"
    return {"name": "example.com.", "type": "SOA", "content": content, "ttl": 60}


def test_a_soa_can_be_updated_except_its_serial(dns: LuaDns, zone: int) -> None:
    before = dns.serial(zone)
    reply = dns("PUT", f"/zones/{zone}/records/1", soa("77"))
    assert reply.status == 200
    assert dns.get(f"/zones/{zone}/records")[0] == reply.json
    assert reply.json["content"] == f"ns1.localhost. me.example.com. {dns.serial(zone)} 1200 120 604800 77"
    assert dns.serial(zone) > before
    for content, message in [
        ("a. b.", "invalid SOA content"),
        ("a. b. 1 2 3 4 5 6", "invalid SOA content"),
        ("a\\ b. c. 1 2 3 4 5", "invalid SOA content"),
        ("a. b. 1 2 3 4 x", "invalid SOA content: DNS TTL value is not well-formed."),
        ("a b. 1 2 3 4 5", "SOA target must be a fully qualified name that ends with a dot"),
    ]:
        assert_invalid(
            dns("PUT", f"/zones/{zone}/records/1", {**soa("77"), "content": content}), problem("content", message)
        )


SYSTEM_SOA = problem("type", "SOA records of the zone itself are managed by the system")
SYSTEM_NS = problem("type", "NS records of the zone itself are managed by the system")


def test_managed_records_cannot_be_created_changed_or_deleted(dns: LuaDns, zone: int) -> None:
    record = dns.record(zone, "www", "A", "192.0.2.1")["id"]
    before = stored()
    ns = {"name": "", "type": "NS", "content": "NS2.localhost."}
    assert_invalid(create(dns, zone, **soa("7")), SYSTEM_SOA)
    assert_invalid(create(dns, zone, **{**soa("7"), "name": "www"}), SYSTEM_SOA)
    assert_invalid(create(dns, zone, **ns), SYSTEM_NS)
    assert_invalid(dns("DELETE", f"/zones/{zone}/records/1"), SYSTEM_SOA)
    assert_invalid(dns("DELETE", f"/zones/{zone}/records/2"), SYSTEM_NS)
    assert_invalid(dns("PUT", f"/zones/{zone}/records/2", ns), SYSTEM_NS)
    assert_invalid(
        dns("PUT", f"/zones/{zone}/records/1", {"name": "a", "type": "A", "content": "192.0.2.1"}), SYSTEM_SOA
    )
    assert_invalid(dns("PUT", f"/zones/{zone}/records/{record}", ns), SYSTEM_NS)
    assert stored() == before


def test_ns_records_below_the_apex_are_not_managed(dns: LuaDns, zone: int) -> None:
    assert create(dns, zone, name="sub", type="NS", content="ns.elsewhere.example.").status == 200


def test_records_are_listed_soa_and_ns_first_then_by_type_and_name(dns: LuaDns, zone: int) -> None:
    for name, type, content in [("b", "TXT", "x"), ("z", "A", "192.0.2.1"), ("a", "TXT", "x"), ("a", "A", "192.0.2.1")]:
        dns.record(zone, name, type, content)
    listed = [(row["type"], row["name"].partition(".")[0]) for row in dns.get(f"/zones/{zone}/records")]
    assert listed[:3] == [("SOA", "example"), ("NS", "example"), ("NS", "example")]
    assert listed[3:] == [("A", "a"), ("A", "z"), ("TXT", "a"), ("TXT", "b")]


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ("query=www.example.com.", [4]),
        ("query=192.0.2", [5, 4]),
        ("query=NOTHING", []),
        ("sort_by=ttl&sort_order=desc&limit=2", [2, 3]),
        ("sort_by=content&query=192", [5, 4]),
        ("sort_by=id&limit=2&page=2", [3, 4]),
        ("limit=500&page=2", []),
    ],
)
def test_a_list_of_records_is_filtered_sorted_and_paginated(dns: LuaDns, zone: int, query: str, ids: list[int]) -> None:
    dns.record(zone, "www", "A", "192.0.2.9")
    dns.record(zone, "w2", "A", "192.0.2.1")
    assert [row["id"] for row in dns("GET", f"/zones/{zone}/records", query=query).json] == ids


def test_users_me_shows_two_factor_authentication(dns: LuaDns, alice: Account) -> None:
    assert dns.get("/users/me")["tfa"] is False
    two_factor.enable(alice, required_for_uploads=False)
    assert dns.get("/users/me")["tfa"] is True


def test_a_body_that_is_too_large_is_rejected(client: Client, dns: LuaDns, zone: int) -> None:
    reply = dns("POST", f"/zones/{zone}/records", body=b" " * (4 * 1024 * 1024 + 1))
    assert (reply.status, reply.json["status"]) == (413, "Request Entity Too Large")
