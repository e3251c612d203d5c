"""`moonbase fsck`: finds inconsistent data, and fixes it where possible."""

from dataclasses import dataclass
from typing import Any

import click

from chalicelib.core.declaration import Inconsistency
from commands.progress import bar


@dataclass(frozen=True)
class Finding:
    """An inconsistency, and whether it was fixed."""

    inconsistency: Inconsistency
    fixed: bool

    def __str__(self) -> str:
        fixed = " (fixed)" if self.fixed else ""
        return f"  {self.inconsistency.kind}: {self.inconsistency.subject}: {self.inconsistency.message}{fixed}"


@click.command()
@click.option("--fix", is_flag=True, help="Fix the inconsistencies that can be fixed automatically.")
@click.option("--quick", is_flag=True, help="Do not read the files' contents.")
@click.pass_context
def fsck(ctx: click.Context, fix: bool, quick: bool) -> dict[str, Any]:
    """Find inconsistent data; the server may be running. The exit code is 1 if inconsistencies remain."""
    from chalicelib.core import blobs
    from chalicelib.core import fsck as rules

    seen = rules.FsckScan()
    findings = []
    length = 0 if quick else sum(stored.size for stored in blobs.list_blobs())
    with bar(ctx, "reading", length) as progress:
        for inconsistency in rules.check(seen, progress, contents=not quick):
            fixed = fix and inconsistency.fix is not None
            if fixed and inconsistency.fix:
                inconsistency.fix()
            findings.append(Finding(inconsistency, fixed))
    ctx.obj["exit_code"] = 0 if all(finding.fixed for finding in findings) else 1
    return {
        "items": seen.items,
        "blobs": seen.blobs,
        "bytes": seen.bytes,
        "faults": [_row(finding) if ctx.obj["as_json"] else str(finding) for finding in findings],
    }


def _row(finding: Finding) -> dict[str, Any]:
    inconsistency = finding.inconsistency
    return {
        "kind": inconsistency.kind,
        "subject": inconsistency.subject,
        "message": inconsistency.message,
        "fixed": finding.fixed,
    }
