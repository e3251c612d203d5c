"""The checks of `make package` on the code that it zips."""

from pathlib import Path
from zipfile import ZipFile

import pytest

from infra.package import check
from infra.stages import Refused


def a_package(directory: Path, files: dict[str, str]) -> ZipFile:
    path = directory / "deployment.zip"
    with ZipFile(path, "w") as package:
        for name, text in files.items():
            package.writestr(name, text)
    return ZipFile(path)


def test_wheels_for_lambdas_glibc_and_for_any_fit(tmp_path: Path) -> None:
    wheel = "Wheel-Version: 1.0\nTag: cp311-cp311-manylinux_2_17_x86_64\nTag: cp311-cp311-manylinux2014_x86_64\n"
    files = {"app.py": "x", "lupa-2.8.dist-info/WHEEL": wheel, "pyotp-2.dist-info/WHEEL": "Tag: py3-none-any"}
    with a_package(tmp_path, files) as package:
        check(package)


@pytest.mark.parametrize("tag", ["cp311-cp311-manylinux1_x86_64", "cp311-cp311-manylinux2010_x86_64"])
def test_a_wheel_for_an_older_glibc_fits(tmp_path: Path, tag: str) -> None:
    with a_package(tmp_path, {"pystemmer-3.1.0.dist-info/WHEEL": f"Tag: {tag}\n"}) as package:
        check(package)


@pytest.mark.parametrize("tag", ["cp311-cp311-linux_x86_64", "cp311-cp311-manylinux_2_28_x86_64"])
def test_a_wheel_for_a_newer_glibc_is_refused(tmp_path: Path, tag: str) -> None:
    with (
        a_package(tmp_path, {"argon2_cffi_bindings-26.2.0.dist-info/WHEEL": f"Tag: {tag}\n"}) as package,
        pytest.raises(Refused, match="has no wheel"),
    ):
        check(package)


@pytest.mark.parametrize("name", ["tests/conftest.py", "standalone/server.py", "moto/__init__.py"])
def test_files_of_the_development_tree_are_refused(tmp_path: Path, name: str) -> None:
    with a_package(tmp_path, {name: ""}) as package, pytest.raises(Refused, match="not for Lambda"):
        check(package)
