"""A simulated browser window: it keeps cookies, submits the forms of the current page, and follows redirects."""

from html.parser import HTMLParser
from typing import Any
from urllib.parse import urlsplit

import pyotp

from chalicelib.core.identity import accounts, credentials
from chalicelib.core.tables import Account
from tests.client import BROWSER, Client, Reply

PASSWORD = "wonderland"
HOSTILE = "<script>alert(1)</script>\"'&"
SHOWN = "&lt;script&gt;alert(1)&lt;/script&gt;&#34;&#39;&amp;"  # HOSTILE, escaped
Fields = dict[str, str]


class BrowserWindow:
    """A window at the address `path`, which shows `reply`."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self.cookies: Fields = {}
        self.path = "/"
        self.reply = Reply(0, {}, b"")

    @property
    def text(self) -> str:
        """The HTML of the current page."""
        assert self.reply.header("content-type") == "text/html; charset=utf-8"
        return self.reply.body.decode()

    def open(self, path: str, status: int = 200) -> str:
        """Open a page and follow redirects; return its HTML."""
        self._send("GET", path)
        assert self.reply.status == status, self.reply.body
        return self.text

    def submit(self, action: str, status: int = 200, *, at: int = 0, **filled: str) -> str:
        """Submit a form of this page by its `action` (of several, the one with index `at`); return the next page."""
        forms = [form for form in _forms(self.text) if form.fields.get("action") == action]
        fields = {**forms[at].fields, **filled}
        self._send("POST", forms[at].path, form=fields)
        assert self.reply.status == status, self.reply.body
        return self.text

    def post(self, path: str, fields: Fields, **headers: str) -> Reply:
        """POST any fields to any path; the window stays on its page."""
        return self._client.post(path, form=fields, headers={**BROWSER, **self._cookie(), **headers})

    def enter(self, account: Account) -> None:
        """Log in."""
        self.open("/account/log-in")
        self.submit("password", username=account.username, password=PASSWORD)
        assert self.path == "/account"

    def leave(self) -> str:
        """Log out; return the next page."""
        self._send("POST", "/account/log-out", form={"csrf_token": self.csrf_token()})
        return self.text

    def csrf_token(self) -> str:
        """The token in the forms of this page."""
        return next(form.fields["csrf_token"] for form in _forms(self.text) if "csrf_token" in form.fields)

    def _send(self, method: str, target: str, **more: Any) -> None:
        for _ in range(4):
            path, _, query = target.partition("?")
            self.reply = self._client.request(method, path, query=query, headers={**BROWSER, **self._cookie()}, **more)
            self._keep_cookies()
            self.path = target
            location = self.reply.header("location")
            if location is None:
                return
            assert self.reply.status == 303
            url = urlsplit(location)
            assert url.netloc == "moonbase.test"
            method, target, more = "GET", f"{url.path}?{url.query}" if url.query else url.path, {}
        raise AssertionError("too many redirects")

    def _cookie(self) -> Fields:
        return {"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())} if self.cookies else {}

    def _keep_cookies(self) -> None:
        for header in self.reply.headers.get("set-cookie", []):
            name, _, value = header.partition(";")[0].partition("=")
            self.cookies[name] = value


def code_of(secret: str) -> str:
    """The current code of an authenticator."""
    return pyotp.TOTP(secret).now()


def live_keys(account: Account) -> list[str]:
    """The services of an account's valid keys."""
    found = credentials.list_credentials(account)
    return [key.service for key in found if key.service in credentials.services() and not key.revoked_at]


def fresh(account: Account) -> Account:
    """The account, read again."""
    return accounts.get(int(account.id))


class _Form:
    def __init__(self, path: str) -> None:
        self.path = path
        self.fields: Fields = {}


class _Forms(HTMLParser):
    """Parses the forms of a page, with the fields that a browser would send."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[_Form] = []
        self._select = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.found.append(_Form(given["action"]))
        elif tag == "select":
            self._select = given["name"]
        elif tag == "option":
            chosen = "selected" in given or self._select not in self.found[-1].fields
            self._fill(self._select, given["value"]) if chosen else None
        elif tag == "input" and ("checked" in given or given.get("type") not in ("checkbox", "radio")):
            self._fill(given["name"], given.get("value", ""))
        elif tag == "button" and given.get("name"):
            self._fill(given["name"], given["value"])

    def _fill(self, name: str, value: str) -> None:
        self.found[-1].fields[name] = value


def _forms(text: str) -> list[_Form]:
    parser = _Forms()
    parser.feed(text)
    return parser.found
