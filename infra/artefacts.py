"""The store of deployed artefacts: code and templates under their hashes, and the history of each stack."""

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zipfile import ZipFile

from infra.account import AwsAccount
from infra.bootstrap import artefacts_bucket, has_artefacts_bucket
from infra.package import CODE, SAM
from infra.stages import Refused

PREVIOUS = "previous"
_SHORT = 12


@dataclass(frozen=True)
class Artefact:
    """A template in the bucket, which determines everything that it deploys."""

    digest: str

    @property
    def key(self) -> str:
        return f"templates/{self.digest}.json"

    @property
    def name(self) -> str:
        """The short name that users see and type."""
        return self.digest[:_SHORT]


class Artefacts:
    """The artefact bucket of an account and region."""

    def __init__(self, account: AwsAccount) -> None:
        self._account = account
        self._bucket = artefacts_bucket(account)
        self._store = account.client("s3")

    def upload(self, package: Path) -> Artefact:
        """Store a package, unless the same one is stored already."""
        code = f"code/{digest_of(package / CODE)}.zip"
        if not self._keys(code):
            with (package / CODE).open("rb") as content:
                self._put(code, content)
        template = json.loads((package / SAM).read_text())
        for resource in template["Resources"].values():
            if resource["Type"] == "AWS::Serverless::Function":
                resource["Properties"]["CodeUri"] = f"s3://{self._bucket}/{code}"
        text = json.dumps(template, separators=(",", ":"), sort_keys=True).encode()
        artefact = Artefact(hashlib.sha256(text).hexdigest())
        self._put(artefact.key, text)
        return artefact

    def find(self, wanted: str, stack: str) -> Artefact:
        """The artefact whose name starts with `wanted`, or the stack's artefact before its current. Raises Refused."""
        had = self.deployed(stack) if has_artefacts_bucket(self._account) else []
        if wanted == PREVIOUS:
            earlier = [artefact for _, artefact in had if artefact != had[-1][1]]
            if not earlier:
                raise Refused(f"{stack} has had no other version than its current one")
            return earlier[-1]
        found = self._keys(f"templates/{wanted}") if had and wanted else []
        if len(found) != 1:
            history = ", ".join(f"{artefact.name} ({at})" for at, artefact in had[-10:]) or "nothing"
            raise Refused(f"{len(found)} artefacts are called {wanted}; {stack} had: {history}")
        return Artefact(found[0].removeprefix("templates/").removesuffix(".json"))

    def template(self, artefact: Artefact) -> dict[str, Any]:
        """The content of the template."""
        stored = self._store.get_object(Bucket=self._bucket, Key=artefact.key, ExpectedBucketOwner=self._account.id)
        template: dict[str, Any] = json.loads(stored["Body"].read())
        return template

    def url(self, artefact: Artefact) -> str:
        """The URL from which CloudFormation reads the template."""
        return f"{self._store.meta.endpoint_url}/{self._bucket}/{artefact.key}"

    def record(self, stack: str, artefact: Artefact) -> None:
        """Add the artefact to a stack's history, unless it is the newest entry already."""
        had = self.deployed(stack)
        if not had or had[-1][1] != artefact:
            at = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
            self._put(f"stacks/{stack}/{at}", artefact.digest.encode())

    def deployed(self, stack: str) -> list[tuple[str, Artefact]]:
        """The history of a stack, oldest first: the time of each deploy and its artefact."""
        prefix, had = f"stacks/{stack}/", []
        for key in self._keys(prefix):
            stored = self._store.get_object(Bucket=self._bucket, Key=key, ExpectedBucketOwner=self._account.id)
            had.append((key.removeprefix(prefix)[:16], Artefact(stored["Body"].read().decode())))
        return had

    def _keys(self, prefix: str) -> list[str]:
        pages = self._store.get_paginator("list_objects_v2").paginate(
            Bucket=self._bucket, Prefix=prefix, ExpectedBucketOwner=self._account.id
        )
        return [found["Key"] for page in pages for found in page.get("Contents", [])]

    def _put(self, key: str, content: Any) -> None:
        self._store.put_object(Bucket=self._bucket, Key=key, Body=content, ExpectedBucketOwner=self._account.id)


def digest_of(package: Path) -> str:
    """The hash of a zip's content without timestamps, so the same code packaged again has the same hash.

    Compiled files are left out, because they contain timestamps too.
    """
    whole = hashlib.sha256()
    with ZipFile(package) as archive:
        for name in sorted(name for name in archive.namelist() if not name.endswith(".pyc")):
            content = hashlib.sha256(archive.read(name)).hexdigest()
            whole.update(f"{content} {name}\n".encode())
    return whole.hexdigest()
