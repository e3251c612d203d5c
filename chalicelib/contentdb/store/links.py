"""The links of packages: web pages, videos, forum topics."""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs, urlsplit

from chalicelib import settings
from chalicelib.core.errors import Forbidden, Invalid

LARGEST_TOPIC = 2**31 - 1
_LABEL = r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9])?"
_HOST = re.compile(rf"(?=.{{1,253}}$)({_LABEL}\.)+{_LABEL}\.?|localhost|\[[0-9a-fA-F:.]+\]")
_NOT_IN_URLS = re.compile(r"[\x00-\x20\x7f<>\"\\^`{|}]")
_YOUTUBE_ID = re.compile(r"[A-Za-z0-9_-]{11}")
_PRANK = "dQw4w9WgXcQ"


def read(name: str, url: str) -> Any:
    """The stored value of a URL: the URL, or for `forum_url` the topic's number. Raises Invalid, Forbidden."""
    if not url.startswith(("http://", "https://")):
        raise Invalid(f"{name} must start with http:// or https://")
    try:
        parts = urlsplit(url)
        host = parts.netloc.rpartition("@")[2]
        host = re.sub(r":[0-9]*$", "", host)
        parts.port  # noqa: B018  (raises for a number that is no port)
    except ValueError:
        host = ""
    if not _HOST.fullmatch(host) or _NOT_IN_URLS.search(url):
        raise Invalid(f"{name} must be a valid URL")
    if name == "forum_url":
        return _topic(parts.query)
    return _video(url) if name == "video_url" else url


def _topic(query: str) -> int:
    topic = parse_qs(query).get("t", [""])[0]
    if not (topic.isascii() and topic.isdecimal() and int(topic[:12]) <= LARGEST_TOPIC):
        raise Invalid("Invalid forum_url - missing t")
    return int(topic)


def youtube_id(url: str | None) -> str | None:
    """The id of a YouTube video; None for other videos."""
    parts = urlsplit(url or "")
    host = (parts.hostname or "").removeprefix("www.").removeprefix("m.")
    if host == "youtu.be":
        video = parts.path[1:]
    elif host in ("youtube.com", "youtube-nocookie.com"):
        path = re.fullmatch(r"/(?:embed|shorts|live|v)/([^/]+)", parts.path)
        video = path[1] if path else parse_qs(parts.query).get("v", [""])[0]
    else:
        return None
    return video if _YOUTUBE_ID.fullmatch(video) else None


def _video(url: str) -> str:
    video = youtube_id(url)
    if video == _PRANK:
        raise Forbidden("Linking to blocked sites is not allowed")
    return f"https://www.youtube.com/watch?v={video}" if video else url


def refuse_blocked(fields: Mapping[str, Any]) -> None:
    """Raise Forbidden if a text contains a blocked domain (`contentdb_blocked_domains`)."""
    texts = [value.lower() for value in fields.values() if isinstance(value, str)]
    if any(domain.lower() in text for domain in settings.current().contentdb_blocked_domains for text in texts):
        raise Forbidden("Linking to blocked sites is not allowed")
