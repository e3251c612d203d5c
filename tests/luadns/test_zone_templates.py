"""New zones with the records of a template."""

from tests.luadns.api import LuaDns, assert_invalid, problem


def test_a_new_zone_has_the_records_of_its_template(dns: LuaDns) -> None:
    own = {"name": "www", "type": "A", "content": "192.0.2.1"}
    zone = dns.make("/zones", {"name": "example.com", "template_id": 1, "records": [own]})
    assert zone["template_id"] == 1
    assert dns.get("/zones")[0]["template_id"] == 1
    assert dns.own(zone["id"]) == [
        ("www.example.com.", "A", "192.0.2.1"),
        ("example.com.", "MX", "1 smtp.google.com."),
        ("example.com.", "TXT", "v=spf1 include:_spf.google.com ~all"),
    ]


def test_an_unknown_template_is_refused(dns: LuaDns) -> None:
    for number in (-1, 6, 2**40):
        reply = dns("POST", "/zones", {"name": "example.com", "template_id": number})
        assert_invalid(reply, problem("template_id", "unknown template", "ValidationError"))
    assert dns.get("/zones") == []
