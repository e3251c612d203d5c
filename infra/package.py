"""Makes what CloudFormation deploys: `build/deployment.zip` with the code and `build/sam.json` with everything else."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from zipfile import ZipFile

from chalice.cli.factory import CLIFactory
from chalice.package import YAMLTemplateSerializer

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build"
STAGE = "prod"

# Lambda's limits for code, and CloudFormation's for a template from S3 with room to grow; in bytes.
LARGEST_ZIP = 50 * 1024 * 1024
LARGEST_CODE = 250 * 1024 * 1024
LARGEST_TEMPLATE = 700_000

# The runtime of Python 3.11 has glibc 2.26. Where no wheel fits it, Chalice compiles one for this machine's glibc
# and says nothing; such a wheel has the plain tag `linux_x86_64`.
FITTING = ("-any", "-manylinux1_x86_64", "-manylinux2010_x86_64", "-manylinux2014_x86_64")
_PAGE = "assert b'<h1>' in app.site({'httpMethod': 'GET', 'path': '/', 'headers': {'Accept': 'text/html'}}).body"
LEFT_HOME = {"boto3", "commands", "infra", "moto", "standalone", "tests"}


class Unfit(Exception):
    """The package would not run on Lambda."""


def main() -> None:
    """Package, check, and say how large it became."""
    template = make(BUILD)
    size = len((BUILD / "sam.json").read_bytes())
    print(f"build/sam.json        {size:>10,} bytes, {len(template['Resources'])} resources")
    with ZipFile(BUILD / "deployment.zip") as package:
        unpacked = check(package)
        check_import(package)
    packed = (BUILD / "deployment.zip").stat().st_size
    print(f"build/deployment.zip  {packed:>10,} bytes, {unpacked:,} unpacked")
    if size > LARGEST_TEMPLATE or packed > LARGEST_ZIP or unpacked > LARGEST_CODE:
        raise Unfit("larger than AWS takes")


def make(out: Path) -> dict[str, Any]:
    """Run `chalice package` with our template merged in; returns the template that it left in `out`/sam.json."""
    os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")  # Chalice asks which partition of AWS this is for
    factory = CLIFactory(str(ROOT))
    config = factory.create_config_obj(STAGE)
    packager = factory.create_app_packager(
        config, factory.create_package_options(), "cloudformation", "json", str(ROOT / "infra" / "template.yml")
    )
    packager.package_app(config, str(out), STAGE)
    made = out / "sam.yaml"
    template: dict[str, Any] = YAMLTemplateSerializer().load_template(made.read_text())
    made.unlink()
    # A template may have 1 MB, and each route takes much of it: no white space.
    (out / "sam.json").write_text(json.dumps(template, separators=(",", ":")))
    return template


def check(package: ZipFile) -> int:
    """Raises Unfit for what does not load on Lambda or does not belong there; returns the unpacked size."""
    names = package.namelist()
    if strays := LEFT_HOME & {name.split("/")[0] for name in names}:
        raise Unfit(f"not for Lambda: {', '.join(sorted(strays))}")
    for name in names:
        if name.endswith(".dist-info/WHEEL") and not fits(package.read(name).decode().splitlines()):
            raise Unfit(f"{name.split('.dist-info')[0]} has no wheel for Lambda's glibc: pin a version that has one")
    return sum(entry.file_size for entry in package.infolist())


def fits(wheel: Iterable[str]) -> bool:
    """Whether the lines of a WHEEL file name a platform that Lambda offers."""
    return any(line.startswith("Tag:") and line.endswith(FITTING) for line in wheel)


def check_import(package: ZipFile) -> None:
    """Import the app from the package alone, in a bare interpreter with no credentials, and have it make a page."""
    with tempfile.TemporaryDirectory() as directory:
        package.extractall(directory)
        code = "import sys; sys.path.insert(0, sys.argv[1]); import app; assert app.app.routes; " + _PAGE
        environment = {"AWS_REGION": "us-east-1", "LD_LIBRARY_PATH": os.environ.get("LD_LIBRARY_PATH", "")}
        subprocess.run([sys.executable, "-I", "-S", "-B", "-c", code, directory], env=environment, check=True)


if __name__ == "__main__":
    main()
