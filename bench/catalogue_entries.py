"""The synthetic entries of bench/catalogue.py, by their numbers. Their texts are random words."""

import hashlib
import random
from typing import Any

AUTHORS = 5_000
MOMENT = 1_700_000_000
_TEXT = (
    "iron copper stone wood magic tree farm train light water cave sword armor food dungeon boat car sign door "
    "client server parser json http socket template string table queue cache event lexer vector matrix config logger"
)
WORDS = _TEXT.split()


def module(number: int) -> tuple[str, Any]:
    """A module with three versions of two files each, and its key."""
    from chalicelib.luarocks.entry import ModuleEntry, PublishedFile, RockEntry, VersionEntry

    pick = random.Random(number)
    words = pick.sample(WORDS, 9)
    name, user, identity = f"lua-{words[0]}-{number}", f"author{number % AUTHORS}", 10 * number + 1

    def file(kind: str) -> PublishedFile:
        digest = hashlib.sha256(f"{number} {kind}".encode()).hexdigest()
        return PublishedFile(
            sha256=digest, size=pick.randrange(9000), revision=1, created_at=MOMENT + number, updated_at=MOMENT + number
        )

    versions = {
        f"{minor}.0-1": VersionEntry(
            id=identity + minor,
            file=file(f"spec {minor}"),
            lua_version="lua >= 5.1",
            dependencies=("lua >= 5.1", f"lua-{words[1]}-{number // 2} >= 1.0"),
            source_url=f"git+https://example.org/{name}.git",
            rocks={
                "src": RockEntry(id=identity + minor + 3, rock_fname=f"{name}-{minor}.0-1.src.rock", file=file("x"))
            },
        )
        for minor in (1, 2, 3)
    }
    entry = ModuleEntry(
        id=identity,
        user_id=2 + number % AUTHORS,
        user=user,
        name=name,
        in_root=True,
        current_version_id=identity + 3,
        created_at=MOMENT + number,
        updated_at=MOMENT + number,
        summary=" ".join(words[2:]).capitalize(),
        license="MIT",
        homepage=f"https://example.org/{name}",
        labels=tuple(words[:2]),
        versions=versions,
    )
    return f"{user}/{name}", entry


def package(number: int) -> tuple[str, Any]:
    """An approved package with a release and a screenshot, and its key."""
    from chalicelib.contentdb.entry import PackageEntry, ReleaseInfo, ScreenshotInfo

    pick = random.Random(number)
    words = pick.sample(WORDS, 12)
    author, name, made = f"author{number % AUTHORS}", f"{words[0]}_{number}", "2026-01-02T00:00:00.000000"
    digest = hashlib.sha256(name.encode()).hexdigest()[:10]
    values: dict[str, Any] = dict.fromkeys(PackageEntry.__struct_fields__[:34])
    values |= dict.fromkeys(("content_warnings", "maintainers", "aliases", "optional_depends", "game_support"), ())
    values |= {"author": author, "name": name, "type": "mod" if number % 5 else ("game", "txp")[number % 2]}
    values |= {"id": number + 1, "state": "APPROVED", "license": "MIT", "media_license": "CC-BY-SA-4.0"}
    values |= {"title": " ".join(words[1:4]).title(), "short_description": " ".join(words[3:]).capitalize()}
    values |= {"long_description": " ".join(pick.choices(WORDS, k=150)), "repo": f"https://example.org/{name}"}
    values |= {"tags": ("building", "tools"), "provides": (name,), "depends": (f"iron_{number // 2}",)}
    values |= {"supports_all_games": True, "translations": {}, "created_at": made, "approved_at": made}
    values["releases"] = (
        ReleaseInfo(
            id=number + 1, min=pick.choice((None, 3, 9)), max=None, file=f"{digest}.zip", size=9, created_at=made
        ),
    )
    values["screenshots"] = (ScreenshotInfo(id=number + 1, file=f"{digest}.png", title="One", size=9, created_at=made),)
    return f"{author}/{name}", PackageEntry(**values)


def hel_package(number: int) -> tuple[str, Any]:
    """A package of Hel with two versions of two files each, and its key."""
    from chalicelib.hel.entry import Dependency, PackageEntry, Version, VersionFile

    pick = random.Random(number)
    words = pick.sample(WORDS, 9)
    name = f"{words[0]}-{number}"

    def version(minor: int) -> Version:
        files = {
            f"https://example.org/{name}/{minor}/{file}.lua": VersionFile(
                dir="/bin", name=file, path=f"/bin/{file}.lua"
            )
            for file in words[1:3]
        }
        depends = {f"iron-{number // 2}": Dependency(type="required", version="^1")}
        return Version(files=files, depends=depends, changes=" ".join(pick.choices(WORDS, k=12)))

    entry = PackageEntry(
        name=name,
        description=" ".join(pick.choices(WORDS, k=60)),
        short_description=" ".join(words[3:]),
        owners=(f"author{number % AUTHORS}",),
        authors=(f"Author {number % AUTHORS}",),
        license="MIT",
        tags=tuple(words[:2]),
        versions={f"1.{minor}.0": version(minor) for minor in (0, 1)},
        screenshots={f"https://example.org/{name}.png": "One"},
        created_at=MOMENT + number,
        updated_at=MOMENT + number,
    )
    return str(number + 1), entry
