"""The template as `make package` writes it, without the minutes that the code's wheels may take."""

from pathlib import Path
from typing import Any

import pytest
from chalice.deploy.packager import LambdaDeploymentPackager
from chalice.package import YAMLTemplateSerializer

from infra import package


@pytest.fixture(scope="session")
def merged() -> dict[str, Any]:
    """Our part of the template."""
    text = (package.ROOT / "infra" / "template.yml").read_text()
    template: dict[str, Any] = YAMLTemplateSerializer().load_template(text)
    return template


@pytest.fixture(scope="session")
def packaged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the whole template as sam.json, beside an empty package."""
    return make(tmp_path_factory.mktemp("package"), package.STAGE)


def make(directory: Path, stage: str) -> Path:
    """Package a stage without the code."""
    code = directory / "code.zip"
    code.touch()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(LambdaDeploymentPackager, "create_deployment_package", lambda *_, **__: str(code))
        package.make(directory / "build", stage)
    return directory / "build"
