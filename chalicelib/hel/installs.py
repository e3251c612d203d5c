"""Installs of a package: the downloads of one stored file of each version, because hpm gets each file once.

Files on other servers are not counted, and neither are stored files of others, which belong to other packages as well.
"""

from collections import Counter

from chalicelib.hel import counts, model
from chalicelib.hel.entry import PackageEntry


def counted_files(value: PackageEntry) -> tuple[str, ...]:
    """The counters whose sum is the number of installs.

    Every version with files of the package's owners has one of them, and as few versions as possible have two: an
    unchanged file is in several versions, and its downloads include the installs of all of them.
    """
    versions = _own_files(value)
    users: dict[str, list[int]] = {}
    for number, files in enumerate(versions):
        for file in files:
            users.setdefault(file, []).append(number)
    chosen, covered = list[str](), set[int]()
    overlap = Counter[str]()  # the versions with the file that are covered already
    # Versions without a file of their own come first: a file that is chosen for them covers others as well.
    for number in sorted(range(len(versions)), key=lambda each: -min(len(users[file]) for file in versions[each])):
        if number in covered:
            continue
        files = versions[number]
        best = min(files, key=lambda file: (overlap[file], files[file], len(users[file]), file))
        chosen.append(best)
        for other in set(users[best]) - covered:
            covered.add(other)
            overlap.update(versions[other].keys())
    return tuple(sorted(chosen))


def _own_files(value: PackageEntry) -> list[Counter[str]]:
    """The counters of its owners' files in each version that has any, with the number of their places."""
    owners = {owner.lower() for owner in value.owners}
    found = list[Counter[str]]()
    for version in value.versions.values():
        files = filter(None, map(model.hosted, version.files))
        found.append(Counter(counts.file(*file) for file in files if file[0] in owners))
    return [files for files in found if files]
