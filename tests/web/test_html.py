"""Pages: content negotiation, and security headers."""

import base64
import hashlib
import re
from typing import Any

import pytest

from chalicelib.core import registry
from chalicelib.core.errors import InternalError, NotFound, TooMany
from chalicelib.web import html, shelves
from chalicelib.web.errors import MethodNotAllowed
from chalicelib.web.request import Request
from chalicelib.web.response import Response
from chalicelib.web.service import Service
from chalicelib.web.slice import Shelf, Slice, Work
from tests.client import BROWSER
from tests.web.toy import slice_of


def request(accept: str | None = None, **event: object) -> Request:
    headers = {"Host": "moonbase.test", **({} if accept is None else {"Accept": accept})}
    return Request({"httpMethod": "GET", "path": "/", "headers": headers, **event})


@pytest.mark.parametrize(
    ("accept", "wanted"),
    [
        (None, False),
        ("", False),
        ("*/*", False),
        ("text/*", False),
        ("application/json, text/plain, */*", False),
        ("application/json, text/html;q=0.9", False),
        ("text/html;q=0.5, */*;q=0.8", False),
        ("text/html;q=0", False),
        ("text/html, image/gif, image/jpeg, */*; q=0.2", False),
        ("text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2", False),
        (BROWSER["Accept"], True),
        ("text/html", True),
        ("Text/HTML", True),
        ("text/html, application/json", True),
        ("text/html, text/plain, text/sgml, text/css, application/xhtml+xml, */*;q=0.01", True),
    ],
)
def test_only_browsers_get_pages(accept: str | None, wanted: bool) -> None:
    assert html.wants_html(request(accept)) is wanted


def welcome(of: Request, **more: Any) -> Response:
    return html.page(of, "home/welcome.html", may_register=True, contents=["rocks"], **more)


def test_a_page_has_security_headers() -> None:
    page = welcome(request())
    style = re.search(r"<style>(.*?)</style>", page.body.decode(), re.DOTALL)
    assert style is not None
    digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    assert page.headers == [
        ("Content-Type", "text/html; charset=utf-8"),
        (
            "Content-Security-Policy",
            f"default-src 'none'; style-src 'sha256-{digest}'; img-src 'self'; "
            "form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
        ),
        ("Referrer-Policy", "same-origin"),
        ("Vary", "Accept"),
        ("ETag", page.header("ETag")),
    ]


def test_a_page_has_no_scripts_and_no_foreign_resources() -> None:
    text = welcome(request()).body.decode()
    assert re.search(r"<script|\son\w+=|javascript:|\sstyle=|url\(|@import", text) is None
    assert set(re.findall(r'(?:src|href)="([^"]*)"', text)) == {
        "/favicon.svg",
        "#main",
        "/",
        "/modules",
        "/account",
        "/account/keys",
        "/account/register",
    }


def test_a_private_page_is_not_cached() -> None:
    page = welcome(request(), private=True)
    assert (page.header("Cache-Control"), page.header("ETag")) == ("no-store", None)


def test_links_have_the_stage_of_the_request() -> None:
    context = {"path": "/prod/", "httpMethod": "GET"}
    text = welcome(request(requestContext=context)).body.decode()
    assert 'href="/prod/modules"' in text
    assert "--only-server=http://moonbase.test/prod NAME" in text


@pytest.mark.parametrize(
    ("error", "status", "title", "header"),
    [
        (NotFound("There is no <b>such</b> thing."), 404, "Not Found", ()),
        (MethodNotAllowed("Not so.", allowed=["GET"]), 405, "Method Not Allowed", ("Allow", "GET")),
        (InternalError("Something went wrong here."), 500, "Internal Server Error", ()),
        (TooMany("Slowly.", retry_after=7), 429, "Too Many Requests", ("Retry-After", "7")),
    ],
)
def test_an_error_can_be_a_page(error: NotFound, status: int, title: str, header: tuple[str, str]) -> None:
    page = html.error_page(request(), error)
    assert (page.status, page.header("Cache-Control")) == (status, "no-store")
    assert not header or header in page.headers
    text = page.body.decode()
    assert f"<title>{title} · Moonbase</title>" in text
    assert "<b>" not in text
    assert error.message.replace("<", "&lt;").replace(">", "&gt;") in text


def test_an_error_without_a_message_can_be_a_page() -> None:
    assert b"<h1>Not Found</h1>" in html.error_page(request(), NotFound()).body


@pytest.mark.parametrize("url", ["javascript:alert(1)", "data:text/html,x", "ftp://x", "http://[", "x"])
def test_only_a_web_address_becomes_a_link(url: str) -> None:
    parts = html._environment().get_template("web/parts.html").module
    assert "<a" not in parts.link(url)  # type: ignore[attr-defined]
    assert '<a href="https://x" rel="nofollow">' in parts.link("https://x")  # type: ignore[attr-defined]


def test_a_shelf_has_a_maximum_number_of_works_and_empty_shelves_are_omitted(aws: None) -> None:
    books = Shelf("Books", lambda name: [Work(f"{name} {n}", "", "/x") for n in range(200)])
    films = Shelf("Films", lambda name: [])
    with registry.including(shelved("books", books), shelved("films", films)):
        found = shelves.of("alice")
    assert list(found) == ["Books"]
    assert len(found["Books"]) == shelves.MOST


def shelved(name: str, shelf: Shelf) -> Slice:
    return slice_of(Service(name, lambda request, error: Response()), works=shelf)
