"""The name by which Moonbase introduces itself to other servers."""

from chalicelib import __version__, settings


def user_agent() -> str:
    """The User-Agent: Moonbase, its version, and the contact of the operator if the settings have one."""
    contact = settings.current().contact
    return f"Moonbase/{__version__}" + (f" ({contact})" if contact else "")


def git_user_agent() -> str:
    """The User-Agent for Git: GitHub and others serve Git to clients whose name starts with `git/`."""
    return f"git/2 {user_agent()}"
