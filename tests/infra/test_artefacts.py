"""The hash of an artefact depends on its content alone."""

from pathlib import Path
from zipfile import ZipFile, ZipInfo

from infra.artefacts import digest_of


def zipped(path: Path, year: int, files: dict[str, str]) -> Path:
    with ZipFile(path, "w") as package:
        for name, text in files.items():
            package.writestr(ZipInfo(name, (year, 1, 1, 0, 0, 0)), text)
    return path


def test_the_same_code_packaged_again_has_the_same_hash(tmp_path: Path) -> None:
    first = zipped(tmp_path / "a.zip", 2025, {"app.py": "x = 1", "lib.py": "y = 2"})
    again = zipped(tmp_path / "b.zip", 2026, {"lib.py": "y = 2", "app.py": "x = 1", "__pycache__/app.pyc": "2026"})
    assert digest_of(first) == digest_of(again)


def test_other_code_and_other_names_have_other_hashes(tmp_path: Path) -> None:
    packages = [{"app.py": "x = 1"}, {"app.py": "x = 2"}, {"lib.py": "x = 1"}, {"app.py": "x = 1", "lib.py": ""}]
    digests = {digest_of(zipped(tmp_path / f"{number}.zip", 2025, files)) for number, files in enumerate(packages)}
    assert len(digests) == len(packages)
