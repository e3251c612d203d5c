"""The decisions in docs/decisions: each has a number of its own, and references name decisions that exist."""

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
DECISIONS = sorted((ROOT / "docs/decisions").glob("*.md"))
_REFERENCE = re.compile(r"(?<![\w.-])(0\d{3})(-[a-z0-9-]+\.md)")  # a name of a file
_LINK = re.compile(r"\[(?:decision )?(0\d{3})\]\((?:[\w./]*/)?(0\d{3}-[a-z0-9-]+\.md)\)")
_SOURCES = ("*.md", "chalicelib/**/*.md", "docs/**/*.md", "*/**/*.py")


def texts() -> list[tuple[Path, str]]:
    """The documents and modules of the repository."""
    paths = {path for pattern in _SOURCES for path in ROOT.glob(pattern) if "build" not in path.parts}
    return [(path.relative_to(ROOT), path.read_text()) for path in sorted(paths)]


def test_each_decision_has_a_number_of_its_own() -> None:
    numbers = [path.name[:4] for path in DECISIONS]
    assert sorted(set(numbers)) == numbers


def test_the_title_of_a_decision_begins_with_its_number() -> None:
    assert [path.name for path in DECISIONS if not path.read_text().startswith(f"# {path.name[:4]}: ")] == []


def test_references_name_decisions_that_exist() -> None:
    names = {path.name for path in DECISIONS}
    referred = {(str(path), "".join(found)) for path, text in texts() for found in _REFERENCE.findall(text)}
    assert len(referred) > 20
    assert {(path, name) for path, name in referred if name not in names} == set()


def test_the_text_of_a_link_is_the_number_of_its_decision() -> None:
    links = [(path, shown, name) for path, text in texts() for shown, name in _LINK.findall(text)]
    assert len(links) > 20
    assert [link for link in links if link[1] != link[2][:4]] == []
