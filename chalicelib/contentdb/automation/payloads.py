"""The requests of Git hosts: GitHub's and those that imitate it (Gitea, Forgejo), and GitLab's."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

from chalicelib.contentdb.automation.repositories import address_of
from chalicelib.core.errors import Forbidden, Invalid
from chalicelib.web.bodies import parse_json
from chalicelib.web.request import Request

LARGEST = 4 * 1024 * 1024  # bytes; hosts list up to a few thousand commits, with their files
_ALGORITHMS = ("sha1", "sha256")
_BRANCH, _TAG = "refs/heads/", "refs/tags/"


@dataclass(frozen=True)
class Push:
    """A new commit of a branch, or a new tag. The commit is None if the host does not say it."""

    commit: str | None
    branch: str | None = None
    tag: str | None = None


@dataclass(frozen=True)
class Hook:
    """A request of a host. `addresses` are those of its repository, see `repositories`; the first one is for messages.

    `event` is the host's word. `push` is None for other events, and if there is nothing to release.
    """

    addresses: tuple[str, ...]
    event: str
    push: Push | None


def signature(request: Request) -> tuple[str, str]:
    """(algorithm, signature in hexadecimal) of a body; raises Forbidden without one."""
    headers = request.headers
    for name in ("x-forgejo-signature", "x-gitea-signature"):
        if headers.get(name):
            return "sha256", headers[name].strip().lower()
    given = headers.get("x-hub-signature-256") or headers.get("x-hub-signature") or ""
    if not given:
        raise Forbidden("Expected payload signature")
    algorithm, _, digest = given.strip().lower().partition("=")
    if algorithm not in _ALGORITHMS:
        raise Forbidden("Expected SHA1 or SHA256 payload signature")
    return algorithm, digest


def github(request: Request) -> Hook:
    """A request of GitHub, Gitea or Forgejo. Raises Invalid."""
    data = _object(_payload(request))
    repository = _object(data.get("repository"))
    urls = [repository.get(name) for name in ("html_url", "clone_url", "ssh_url")]
    if not _header(request, "forgejo", "gitea"):
        urls.insert(0, f"https://github.com/{_text(repository, 'full_name')}")
    event = _header(request, "forgejo", "gitea", "github")
    return Hook(_addresses(urls), event, _github_push(event, data))


def gitlab(request: Request) -> Hook:
    """A request of GitLab. Raises Invalid."""
    data = _object(parse_json(request.body))
    project = _object(data.get("project"))
    urls = [project.get(name) for name in ("web_url", "git_http_url", "git_ssh_url")]
    event, ref, commit = _text(data, "event_name"), _optional(data, "ref") or "", _optional(data, "checkout_sha")
    push = None
    if event == "push" and commit and ref.startswith(_BRANCH):
        push = Push(commit, branch=ref.removeprefix(_BRANCH))
    elif event == "tag_push" and commit and ref.startswith(_TAG):
        push = Push(commit, tag=ref.removeprefix(_TAG))
    return Hook(_addresses(urls), event, push)


def _github_push(event: str, data: dict[str, Any]) -> Push | None:
    if event == "create" and data.get("ref_type") == "tag":
        return Push(_optional(data, "sha"), tag=_text(data, "ref"))
    if event != "push":
        return None
    ref, commit = _text(data, "ref"), _text(data, "after")
    if not ref.startswith(_BRANCH) or not commit.strip("0"):  # a tag, which has an event of its own, or a deletion
        return None
    return Push(commit, branch=ref.removeprefix(_BRANCH))


def _payload(request: Request) -> Any:
    """The JSON in the body, or in the field `payload` of a form, which is the default of GitHub's settings."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        return parse_json(request.body)
    try:
        fields = parse_qs(request.body.decode(), max_num_fields=10)
    except ValueError:  # also a UnicodeDecodeError
        raise Invalid("The form cannot be read.") from None
    return parse_json(fields.get("payload", [""])[0].encode())


def _header(request: Request, *hosts: str) -> str:
    """The event as the first of these hosts names it; empty without one."""
    return next((value for host in hosts if (value := request.headers.get(f"x-{host}-event"))), "")


def _addresses(urls: list[Any]) -> tuple[str, ...]:
    def found() -> Iterator[str]:
        for url in urls:
            if isinstance(url, str) and len(url) <= 1000 and (address := address_of(url)):
                yield address

    if addresses := tuple(dict.fromkeys(found())):
        return addresses
    raise Invalid("The payload names no repository")


def _object(value: Any) -> dict[str, Any]:
    if isinstance(value, dict):
        return value
    raise Invalid("Expected a JSON object with a repository")


def _text(data: dict[str, Any], name: str) -> str:
    if text := _optional(data, name):
        return text
    raise Invalid(f"The payload has no {name}")


def _optional(data: dict[str, Any], name: str) -> str | None:
    value = data.get(name)
    return value if isinstance(value, str) and value else None
