"""A Git server (dulwich's) on the loopback interface, with repositories in memory."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from dulwich.objects import Blob, Commit, Tag, Tree
from dulwich.repo import MemoryRepo
from dulwich.server import DictBackend
from dulwich.web import make_wsgi_chain

WHO = b"Author <author@example.org>"
WHEN = 1_700_000_000


class _Quiet(WSGIRequestHandler):
    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def serving(repositories: dict[str, MemoryRepo], redirects: dict[str, str] | None = None) -> Iterator[str]:
    """Serve repositories by name; yields the base URL. `redirects` maps a first path segment to another base URL."""
    git = make_wsgi_chain(DictBackend({f"/{name}": repo for name, repo in repositories.items()}))

    def app(environ: Any, start_response: Any) -> Any:
        environ["PATH_INFO"] = urlsplit(environ["PATH_INFO"]).path  # a client sends a whole URL to a proxy
        first, _, rest = environ["PATH_INFO"].lstrip("/").partition("/")
        if first in (redirects or {}):
            query = f"?{environ['QUERY_STRING']}" if environ["QUERY_STRING"] else ""
            start_response("302 Found", [("Location", f"{(redirects or {})[first]}/{rest}{query}")])
            return [b""]
        return git(environ, start_response)

    server = make_server("127.0.0.1", 0, app, WSGIServer, _Quiet)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def repository() -> MemoryRepo:
    """Return an empty repository whose default branch is master."""
    repo = MemoryRepo.init_bare([], {})
    repo.refs.set_symbolic_ref(b"HEAD", b"refs/heads/master")
    return repo


def commit(
    repo: MemoryRepo,
    files: dict[str, bytes],
    message: str = "Change something",
    *,
    links: dict[str, bytes] | None = None,
    submodules: dict[str, str] | None = None,
    branch: str = "master",
) -> str:
    """Commit a complete tree to a branch; return the hash."""
    entries: dict[str, Any] = {path: (0o100644, Blob.from_string(content)) for path, content in files.items()}
    entries |= {path: (0o120000, Blob.from_string(target)) for path, target in (links or {}).items()}
    entries |= {path: (0o160000, sha.encode()) for path, sha in (submodules or {}).items()}
    ref = f"refs/heads/{branch}".encode()
    made = Commit()
    made.tree = _tree(repo, entries).id
    made.parents = [repo.refs[ref]] if ref in repo.refs else []
    made.author = made.committer = WHO
    made.author_time = made.commit_time = WHEN + 60 * len(list(repo.object_store))
    made.author_timezone = made.commit_timezone = 0
    made.message = message.encode()
    repo.object_store.add_object(made)
    repo.refs[ref] = made.id
    return made.id.decode()


def tag(repo: MemoryRepo, name: str, sha: str) -> None:
    """Add an annotated tag of a commit."""
    made = Tag()
    made.name = name.encode()
    made.object = (Commit, sha.encode())
    made.tagger, made.tag_time, made.tag_timezone, made.message = WHO, WHEN, 0, b"A tag"
    repo.object_store.add_object(made)
    repo.refs[f"refs/tags/{name}".encode()] = made.id


def _tree(repo: MemoryRepo, entries: dict[str, Any]) -> Tree:
    tree = Tree()
    below: dict[str, dict[str, Any]] = {}
    for path, entry in entries.items():
        first, slash, rest = path.partition("/")
        if slash:
            below.setdefault(first, {})[rest] = entry
        else:
            mode, content = entry
            if isinstance(content, Blob):
                repo.object_store.add_object(content)
                content = content.id
            tree.add(first.encode(), mode, content)
    for name, inner in below.items():
        tree.add(name.encode(), 0o040000, _tree(repo, inner).id)
    repo.object_store.add_object(tree)
    return tree
