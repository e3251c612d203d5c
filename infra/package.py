"""Builds the package that CloudFormation deploys: code in `build/deployment.zip`, and the template `build/sam.json`."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import click
from chalice.cli.factory import CLIFactory
from chalice.deploy.packager import MissingDependencyError, NoSuchPackageError, PackageDownloadError
from chalice.package import YAMLTemplateSerializer

from infra import stages
from infra.stages import ROOT, STAGE, TEMPLATE, Refused

BUILD = ROOT / "build"
CODE, SAM = "deployment.zip", "sam.json"

# Lambda's limits for code, and a limit below CloudFormation's 1 MB for a template from S3; in bytes.
LARGEST_ZIP = 50 * 1024 * 1024
LARGEST_CODE = 250 * 1024 * 1024
LARGEST_TEMPLATE = 700_000

# The runtime of Python 3.11 has glibc 2.26. If no wheel fits it, Chalice silently compiles one for this machine's
# glibc; such a wheel has the plain tag `linux_x86_64`.
FITTING = ("-any", "-manylinux1_x86_64", "-manylinux2010_x86_64", "-manylinux2014_x86_64")
_PAGE = "assert b'<h1>' in app.site({'httpMethod': 'GET', 'path': '/', 'headers': {'Accept': 'text/html'}}).body"
NOT_DEPLOYED = {"commands", "infra", "moto", "standalone", "tests"}


@click.command()
@click.option("--stage", default=STAGE, show_default=True)
def main(stage: str) -> None:
    """Package into build/."""
    try:
        stages.check(stage)
        build(stage)
    except Refused as refused:
        click.echo(f"package: {refused}", err=True)
        sys.exit(1)


def build(stage: str) -> Path:
    """Package into `build/`, check the package, and print its size; return `build/`. Raises Refused."""
    make(BUILD, stage)
    with ZipFile(BUILD / CODE) as package:
        check(package)
        check_import(package)
    measure(BUILD)
    return BUILD


def make(out: Path, stage: str) -> dict[str, Any]:
    """Run `chalice package` with our template merged in; writes the result to `out`/sam.json and returns it."""
    os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")  # Chalice derives AWS' partition from it
    factory = CLIFactory(str(ROOT))
    config = factory.create_config_obj(stage)
    packager = factory.create_app_packager(
        config, factory.create_package_options(), "cloudformation", "json", str(TEMPLATE)
    )
    try:
        packager.package_app(config, str(out), stage)
    except (MissingDependencyError, NoSuchPackageError, PackageDownloadError) as error:
        raise Refused(f"requirements.txt cannot be installed: {' '.join(str(error).split())[-200:]}") from None
    sam_template = out / "sam.yaml"
    template: dict[str, Any] = YAMLTemplateSerializer().load_template(sam_template.read_text())
    sam_template.unlink()
    _complete(template["Resources"])
    # Without white space, because CloudFormation limits a template to 1 MB and each route has a long definition.
    (out / SAM).write_text(json.dumps(template, separators=(",", ":")))
    return template


def _complete(resources: dict[str, Any]) -> None:
    """Give functions that Chalice does not know its functions' code and runtime."""
    known = resources["APIHandler"]["Properties"]
    for resource in resources.values():
        if resource["Type"] == "AWS::Serverless::Function":
            for name in ("CodeUri", "Runtime"):
                resource["Properties"].setdefault(name, known[name])


def verify(out: Path, api_stage: str) -> None:
    """Raise Refused unless `out` contains a package for this stage that Lambda can run."""
    if not ((out / SAM).exists() and (out / CODE).exists()):
        raise Refused(f"there is no {SAM} and {CODE} in {out}; `make package` writes them to {BUILD}")
    check_stage(json.loads((out / SAM).read_text()), api_stage)
    with ZipFile(out / CODE) as package:
        check(package)
    measure(out)


def check_stage(template: Mapping[str, Any], api_stage: str) -> None:
    """Raise Refused for the template of another stage."""
    if (found := template["Resources"]["RestAPI"]["Properties"]["StageName"]) != api_stage:
        raise Refused(f"this package is for the stage {found}, not for {api_stage}")


def measure(out: Path) -> None:
    """Print the size of a package. Raises Refused if it exceeds AWS' limits."""
    template, packed = (out / SAM).stat().st_size, (out / CODE).stat().st_size
    resources = len(json.loads((out / SAM).read_text())["Resources"])
    with ZipFile(out / CODE) as package:
        unpacked = sum(entry.file_size for entry in package.infolist())
    click.echo(f"{SAM:15} {template:>10,} bytes, {resources} resources")
    click.echo(f"{CODE:15} {packed:>10,} bytes, {unpacked:,} unpacked")
    for size, largest, name in (
        (template, LARGEST_TEMPLATE, "the template"),
        (packed, LARGEST_ZIP, "the code"),
        (unpacked, LARGEST_CODE, "the unpacked code"),
    ):
        if size > largest:
            raise Refused(f"{name} is too large for AWS: {size:,} bytes; the limit is {largest:,}")


def check(package: ZipFile) -> None:
    """Raise Refused for files that Lambda cannot load or that must not be deployed."""
    names = package.namelist()
    if strays := NOT_DEPLOYED & {name.split("/")[0] for name in names}:
        raise Refused(f"not for Lambda: {', '.join(sorted(strays))}")
    for name in names:
        if name.endswith(".dist-info/WHEEL") and not fits(package.read(name).decode().splitlines()):
            raise Refused(f"{name.split('.dist-info')[0]} has no wheel for Lambda's glibc: pin a version that has one")


def fits(wheel: Iterable[str]) -> bool:
    """Whether the lines of a WHEEL file contain the tag of a platform that Lambda offers."""
    return any(line.startswith("Tag:") and line.endswith(FITTING) for line in wheel)


def check_import(package: ZipFile) -> None:
    """Import the app from the package alone, in a bare interpreter without credentials, and let it render a page.

    Raises Refused.
    """
    with tempfile.TemporaryDirectory() as directory:
        package.extractall(directory)
        code = "import sys; sys.path.insert(0, sys.argv[1]); import app; assert app.app.routes; " + _PAGE
        environment = {"AWS_REGION": "us-east-1", "LD_LIBRARY_PATH": os.environ.get("LD_LIBRARY_PATH", "")}
        done = subprocess.run([sys.executable, "-I", "-S", "-B", "-c", code, directory], env=environment, check=False)
    if done.returncode:
        raise Refused("from the package alone, the app cannot be imported or cannot render a page")


if __name__ == "__main__":
    main()
