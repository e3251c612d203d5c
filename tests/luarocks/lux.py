"""The requests of lux 0.58, whose program no package registry has: its order of requests, and what it reads of each.

lux takes https only, follows redirects, asks for no compression, and joins URLs by RFC 3986.
"""

import hashlib
import io
import json
import re
import ssl
import urllib.error
import urllib.request
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode, urljoin

from chalicelib.luarocks import sandbox
from tests.client import multipart

Answer = tuple[int, bytes, dict[str, str]]


class LuxError(Exception):
    """lux would stop here."""


@dataclass
class Lux:
    """One configuration of lux. `server` ends with a slash; `token` is that of its setting `access_tokens`."""

    server: str
    context: ssl.SSLContext
    token: str | None = None
    namespace: str | None = None
    requests: list[str] = field(default_factory=list)

    def send(self, method: str, path: str, body: bytes | None = None, **headers: str) -> Answer:
        """Send a request; return the status, the body and the headers, by name in lower case."""
        url = urljoin(self.server, path)
        assert url.startswith("https://")
        own = {"User-Agent": "lux-lib/0.58.1", "Accept": "*/*"}
        self.requests.append(f"{method} /{path}")
        request = urllib.request.Request(url, body, {**own, **headers}, method=method)
        opener = urllib.request.build_opener(urllib.request.HTTPSHandler(context=self.context))
        try:
            with opener.open(request, timeout=30) as response:
                return response.status, response.read(), {k.lower(): v for k, v in response.headers.items()}
        except urllib.error.HTTPError as error:
            return error.code, error.read(), {k.lower(): v for k, v in error.headers.items()}

    def read(self, path: str, method: str = "GET") -> Answer:
        """Read from the rock server, with the token."""
        return self.send(method, path, **self._token_header())

    def manifest(self, lua: str = "5.1", root: str = "") -> dict[str, dict[str, list[dict[str, str]]]]:
        """The `repository` of a manifest: zipped, or plain if there is no zip."""
        base = f"{root}manifests/{self.namespace}/" if self.namespace else root
        status, body, _ = self.read(f"{base}manifest-{lua}.zip")
        if 400 <= status < 500:
            status, body, _ = self.read(f"{base}manifest-{lua}")
        elif status == 200:
            with zipfile.ZipFile(io.BytesIO(body)) as archive:
                body = archive.read(f"manifest-{lua}")
        if status != 200:
            raise LuxError(f"manifest: {status}")
        found: Any = sandbox.evaluate(body)["repository"] or {}
        return found

    def search(self, text: str) -> list[str]:
        """The names and versions of a manifest whose name contains the text."""
        return [f"{name} {version}" for name, all_ in self.manifest().items() if text in name for version in all_]

    def install(self, name: str, root: str = "") -> bytes:
        """Choose the newest version and download it: the rockspec and, if there is one, the rock."""
        versions = self.manifest(root=root).get(name)
        if not versions:
            raise LuxError(f"no {name}")
        version = sorted(versions)[-1]
        arches = {item["arch"] for item in versions[version]}
        rock = next((arch for arch in ("linux-x86_64", "all", "src") if arch in arches), None)
        if rock is None or rock == "src":  # a rockspec is preferred to sources
            return self._file(f"{root}{name}-{version}.rockspec")
        status, body, _ = self.read(f"{root}{name}-{version}.linux-x86_64.rock")
        return body if status == 200 else self._file(f"{root}{name}-{version}.all.rock")

    def upload(self, key: str, name: str, version: str, source: bytes, code: str | None = None) -> str:
        """Upload a rockspec with the first free revision; return the version. Raises LuxError."""
        self.manifest()
        body = json.dumps(["current", "1.0.0"]).encode()
        status, answer, _ = self.send("POST", "api/tool_version", body, **{"Content-Type": "application/json"})
        assert json.loads(answer)["version"] == "1.0.0", "lux prints that it is out of date"
        if 400 <= self.send("GET", f"api/1/{key}/status")[0] < 500:
            raise LuxError("the key is invalid")
        full, source = self._free(key, name, version, source)
        headers = {"Content-Type": "multipart/form-data; boundary=BoundaryQ"}
        if code is not None:
            headers["X-TFA-Token"] = self._verified(key, code)
        form = multipart({}, {"rockspec_file": (f"{name}-{full}.rockspec", source)})
        status, answer, _ = self.send("POST", f"api/1/{key}/upload", form, **headers)
        if not 200 <= status < 300:
            raise LuxError("; ".join(json.loads(answer)["errors"]))
        return full

    def _free(self, key: str, name: str, version: str, source: bytes) -> tuple[str, bytes]:
        for full in self._revisions(version):
            text = re.sub(rb'version = "[^"]*"', f'version = "{full}"'.encode(), source)
            if not self._exists(key, name, full):
                return full, text
            published = self._file(f"{name}-{full}.rockspec")
            if hashlib.sha256(published).digest() == hashlib.sha256(text).digest():
                raise LuxError(f"{name} {full} already exists")
        raise AssertionError

    @staticmethod
    def _revisions(version: str) -> Iterator[str]:
        return (f"{version}-{revision}" for revision in range(1, 10))

    def _exists(self, key: str, name: str, version: str) -> bool:
        query = urlencode({"package": name.lower(), "version": version})
        status, body, _ = self.send("GET", f"api/1/{key}/check_rockspec?{query}")
        if status >= 400:
            raise LuxError(f"check_rockspec: {status}")
        return {"module", "version"} <= set(json.loads(body))

    def _verified(self, key: str, code: str) -> str:
        status, body, _ = self.send("GET", f"api/1/{key}/verify_tfa?code={code}")
        if status >= 500:
            raise LuxError(f"verify_tfa: {status}")
        answer = json.loads(body)
        if "tfa_token" not in answer:
            raise LuxError("; ".join(answer["errors"]))
        return str(answer["tfa_token"])

    def _file(self, path: str) -> bytes:
        status, body, _ = self.read(path)
        if status != 200:
            raise LuxError(f"{path}: {status}")
        return body

    def _token_header(self) -> dict[str, str]:
        if self.token is None:
            return {}
        kind, _, secret = self.token.rpartition(":")
        if kind == "PAT":
            return {"PRIVATE-TOKEN": secret}
        return {"Authorization": f"{'Bearer' if kind == 'OAuth2' else 'token'} {secret}"}
