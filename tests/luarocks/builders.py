"""Rockspecs and rocks for the LuaRocks tests."""

import io
import zipfile
from collections.abc import Callable

from tests.client import Reply

Upload = Callable[..., Reply]


def rockspec(package: str = "say", version: str = "1.0-1", lua: str = "lua >= 5.1") -> bytes:
    """A typical rockspec."""
    return f"""package = "{package}"
version = "{version}"
source = {{ url = "https://example.org/{package}.tar.gz" }}
description = {{ summary = "Says hello", license = "MIT", homepage = "https://example.org" }}
dependencies = {{ "{lua}" }}
build = {{ type = "builtin", modules = {{}} }}
""".encode()


def rock(package: str = "say", version: str = "1.0-1", payload: str = "") -> bytes:
    """A rock like one of `luarocks pack`: a zip with the rockspec at the top."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in (
            (f"{package}-{version}.rockspec", rockspec(package, version)),
            (f"{package}.lua", payload.encode()),
        ):
            archive.writestr(zipfile.ZipInfo(name, date_time=(2026, 1, 2, 3, 4, 6)), content)
    return file.getvalue()


def zipped(files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A zip of some files."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return file.getvalue()
