"""LuaRocks: Debian's client uploads, searches and installs; a rock that is too large for Lambda; a second factor."""

import io
import json
import os
import re
import shutil
import zipfile
from urllib.parse import urlencode, urlsplit

from infra.rehearsal.installation import Failure, HttpClient, Installation, run

VERSION = "1.0-1"
ROCKSPEC = """\
package = "{rock}"
version = "{version}"
source = {{ url = "file://{archive}", dir = "{rock}" }}
description = {{ summary = "Says something.", license = "MIT" }}
dependencies = {{ "lua >= 5.1" }}
build = {{ type = "builtin", modules = {{ ["{rock}"] = "say.lua" }} }}
"""
MODULE = 'return { hello = function() return "hello from the rehearsal" end }\n'


def publish(installation: Installation, key: str, rock: str) -> None:
    """Let Debian's client pack the source and upload rockspec and rock."""
    scratch = installation.scratch
    (scratch / rock).mkdir()
    (scratch / rock / "say.lua").write_text(MODULE)
    archive = shutil.make_archive(str(scratch / f"{rock}-1.0"), "gztar", scratch, rock)
    rockspec = scratch / f"{rock}-{VERSION}.rockspec"
    rockspec.write_text(ROCKSPEC.format(rock=rock, version=VERSION, archive=archive))
    output = luarocks(installation, "upload", rockspec.name, f"--server={installation.url}", f"--temp-key={key}")
    if "Done: " not in output:
        raise Failure(output)


def install(installation: Installation, rock: str) -> None:
    """Let Debian's client find and build the rock, and Lua run the installed module."""
    found = luarocks(installation, "search", rock, f"--only-server={installation.url}")
    if not re.search(rf"{VERSION} \(src\)", found) or not re.search(rf"{VERSION} \(rockspec\)", found):
        raise Failure(found)
    tree = installation.scratch / "tree"
    shutil.rmtree(tree, ignore_errors=True)
    luarocks(installation, "install", rock, f"--tree={tree}", f"--only-server={installation.url}")
    program = f'package.path = "{tree}/share/lua/5.1/?.lua"; print(require("{rock}").hello())'
    output = run(["lua5.1", "-e", program], installation.scratch)
    if output != "hello from the rehearsal\n":
        raise Failure(output)


def large_rock(installation: Installation, key: str, rock: str) -> None:
    """Upload a rock to S3 with a slot's form, and download it by links that the function's role signs."""
    site = installation.site
    version = site.json("GET", f"/api/1/{key}/check_rockspec?package={rock}&version={VERSION}")["version"]["id"]
    name, content = f"{rock}-{VERSION}.win32-x86.rock", _rock(rock, os.urandom(5_000_000))
    slot = site.json("POST", f"/api/1/{key}/upload_slot")
    installation.send(slot, content)
    form = {"upload": slot["upload"], "filename": name}
    site.json("POST", f"/api/1/{key}/upload_rock/{version}", form=form)
    for method, wanted in (("GET", content), ("HEAD", b"")):
        status, headers, _ = site.request(method, f"/{name}")
        if status != 302:
            raise Failure(f"{method} {name}: {status}")
        link = urlsplit(headers["location"])
        status, headers, got = HttpClient(link.netloc).request(method, f"{link.path}?{link.query}")
        if status != 200 or got != wanted or headers["content-length"] != str(len(content)):
            raise Failure(f"{method} {name} from S3: {status} {headers} {got[:300]!r}")


def second_factor(installation: Installation, username: str, key: str) -> None:
    """Check that KMS seals the secret here and the function unseals it: a code gets the token that an upload needs."""
    import pyotp

    secret = installation.moonbase("two-factor", "enable", username, "--require-for-uploads")["secret"]
    refused, _, answer = installation.site.request("POST", f"/api/1/{key}/upload")
    if refused != 403 or not json.loads(answer).get("two_factor_required"):
        raise Failure(f"upload without a code: {refused} {answer!r}")
    form = urlencode({"code": pyotp.TOTP(secret).now()}).encode()
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    status, _, answer = installation.site.request("POST", f"/api/1/{key}/verify_tfa", form, kind)
    if status != 200 or not json.loads(answer)["tfa_token"]:
        raise Failure(f"verify_tfa: {status} {answer!r}")


def luarocks(installation: Installation, *arguments: str) -> str:
    """Run Debian's client with a home of its own and an empty cache, whose entries live for a minute."""
    shutil.rmtree(installation.scratch / ".cache", ignore_errors=True)
    return run(["luarocks", "--lua-version=5.1", *arguments], installation.scratch)


def _rock(rock: str, payload: bytes) -> bytes:
    """A rock with its rockspec and one file."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        spec = f'package = "{rock}" version = "{VERSION}" source = {{url = "x"}} build = {{}}'
        archive.writestr(f"{rock}-{VERSION}.rockspec", spec)
        archive.writestr("payload", payload)
    return file.getvalue()
