"""Debian's Git over HTTP: `git http-backend` on the loopback interface, with bare repositories in a directory."""

import os
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit


class GitRepository:
    """A working copy and the bare repository to which it pushes."""

    def __init__(self, root: Path, name: str = "zones") -> None:
        self.bare, self.folder = root / f"{name}.git", root / f"{name}-copy"
        git(root, "init", "-q", "--bare", "-b", "main", str(self.bare))
        git(root, "clone", "-q", str(self.bare), str(self.folder))
        git(self.folder, "checkout", "-q", "-b", "main")

    def push(self, files: dict[str, str | None], *, at: int = 1_700_000_000, force: bool = False) -> str:
        """Commit files, without those that are None, and push; return the hash. `at` is the commit's time."""
        for path, text in files.items():
            target = self.folder / path
            if text is None:
                target.unlink()
            else:
                target.parent.mkdir(exist_ok=True)
                target.write_text(text)
        git(self.folder, "add", "-A")
        git(self.folder, "commit", "-q", "--allow-empty", "-m", "Change zones\n\nMore.", at=at)
        git(self.folder, "push", "-q", "origin", "HEAD:main", *(["--force"] if force else []))
        return git(self.folder, "rev-parse", "HEAD")

    def move_back(self) -> str:
        """Move the branch to the first commit and push by force; return its hash."""
        first = git(self.folder, "rev-list", "--max-parents=0", "HEAD")
        git(self.folder, "reset", "-q", "--hard", first)
        git(self.folder, "push", "-q", "--force", "origin", "HEAD:main")
        return first


def git(folder: Path, *arguments: str, at: int = 1_700_000_000) -> str:
    """Run Git as the author of the tests; return its output."""
    who = {"NAME": "Ann Author", "EMAIL": "ann@example.org", "DATE": f"{at} +0000"}
    names = {f"GIT_{role}_{field}": value for role in ("AUTHOR", "COMMITTER") for field, value in who.items()}
    environment = {**os.environ, **names, "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1"}
    command = ["git", "-c", "protocol.file.allow=always", *arguments]
    done = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True, env=environment)
    return done.stdout.strip()


@contextmanager
def git_http(root: Path) -> Iterator[str]:
    """Serve the repositories in `root`; yields the base URL."""

    class Backend(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            url = urlsplit(self.path)
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            environment = {
                "PATH": os.environ["PATH"],
                "GIT_PROJECT_ROOT": str(root),
                "GIT_HTTP_EXPORT_ALL": "1",
                "PATH_INFO": url.path,
                "QUERY_STRING": url.query,
                "REQUEST_METHOD": self.command,
                "CONTENT_TYPE": self.headers.get("Content-Type", ""),
                "CONTENT_LENGTH": str(len(body)),
                "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
                "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
            }
            done = subprocess.run(["git", "http-backend"], input=body, capture_output=True, env=environment)
            head, _, content = done.stdout.partition(b"\r\n\r\n")
            fields = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
            self.send_response(int(fields.pop("Status", "200 OK").split()[0]))
            for name, value in {**fields, "Content-Length": str(len(content))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = _answer

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Backend)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
