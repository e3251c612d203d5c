"""The template as `make package` writes it, without the code, whose wheels may take minutes."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from botocore.loaders import JSONFileLoader

from infra import ministack, package
from infra.ministack import MiniStack
from infra.stages import our_template
from tests.infra import packages


@pytest.fixture(scope="session", autouse=True)
def _aws_models() -> Iterator[None]:
    """Read each of botocore's descriptions of AWS once: every session would read its services again."""
    loader = JSONFileLoader()
    read = cache(loader.load_file)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(JSONFileLoader, "load_file", lambda self, path: read(path))
        yield


@pytest.fixture(scope="session")
def merged() -> dict[str, Any]:
    """Our part of the template."""
    return our_template()


@pytest.fixture(scope="session")
def packaged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the whole template as sam.json, and an empty package."""
    return packages.make(tmp_path_factory.mktemp("package"), package.STAGE)


@pytest.fixture(scope="session")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MiniStack]:
    """MiniStack, for all tests that need CloudFormation."""
    with ministack.running(ministack.HOME, tmp_path_factory.mktemp("ministack") / "log") as started:
        yield started


@pytest.fixture
def stack(cloud: MiniStack, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> str:
    """The name of a stack that does not exist; commands run as MiniStack's root caller."""
    for name, value in cloud.environment().items():
        monkeypatch.setenv(name, value)
    return "".join(letter if letter.isalnum() else "-" for letter in request.node.name)[:60].strip("-")
