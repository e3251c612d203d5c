"""The cookie that holds a session's secret."""

from chalicelib.core.identity import sessions
from chalicelib.web.request import Request

_NAME = "moonbase_session"


def session_of(request: Request) -> str | None:
    """The session's secret in the request's cookie; None without one."""
    return request.cookies.get(_name(request)) or None


def set_session(request: Request, secret: str) -> tuple[str, str]:
    """The header that sets the cookie. Scripts and other sites cannot read it."""
    return _header(request, secret, int(sessions.LIFETIME.total_seconds()))


def clear_session(request: Request) -> tuple[str, str]:
    """The header that deletes the cookie."""
    return _header(request, "", 0)


def _header(request: Request, secret: str, age: int) -> tuple[str, str]:
    secure = "; Secure" if request.secure else ""
    return "Set-Cookie", f"{_name(request)}={secret}; Path=/; Max-Age={age}; HttpOnly; SameSite=Lax{secure}"


def _name(request: Request) -> str:
    """Over https the name has the prefix that makes browsers accept the cookie only from this host, over https."""
    return f"__Host-{_NAME}" if request.secure else _NAME
