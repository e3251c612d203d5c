"""The template as `make package` writes it, without the code, whose wheels may take minutes."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from chalice.package import YAMLTemplateSerializer

from infra import ministack, package
from infra.ministack import MiniStack
from tests.infra import packages


@pytest.fixture(scope="session")
def merged() -> dict[str, Any]:
    """Our part of the template."""
    text = (package.ROOT / "infra" / "template.yml").read_text()
    template: dict[str, Any] = YAMLTemplateSerializer().load_template(text)
    return template


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
