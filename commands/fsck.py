"""`moonbase fsck`: finds inconsistent data, and fixes it where possible."""

from dataclasses import dataclass
from typing import Any

import click

from chalicelib.core.declaration import Inconsistency
from commands.progress import bar


@dataclass(frozen=True)
class Finding:
    """A fault, and whether it was fixed."""

    fault: Inconsistency
    fixed: bool

    def __str__(self) -> str:
        fixed = " (fixed)" if self.fixed else ""
        return f"  {self.fault.kind}: {self.fault.subject}: {self.fault.message}{fixed}"


@click.command()
@click.option("--fix", is_flag=True, help="Fix the faults that can be fixed automatically.")
@click.option("--quick", is_flag=True, help="Do not read the files' contents.")
@click.pass_context
def fsck(ctx: click.Context, fix: bool, quick: bool) -> dict[str, Any]:
    """Find inconsistent data; the server may be running. The exit code is 1 if faults remain."""
    from chalicelib.core import blobs
    from chalicelib.core import fsck as rules

    seen = rules.FsckWalk()
    findings = []
    length = 0 if quick else sum(stored.size for stored in blobs.listed())
    with bar(ctx, "reading", length) as progress:
        for fault in rules.check(seen, progress, contents=not quick):
            fixed = fix and fault.fix is not None
            if fixed and fault.fix:
                fault.fix()
            findings.append(Finding(fault, fixed))
    ctx.obj["exit_code"] = 0 if all(finding.fixed for finding in findings) else 1
    return {
        "items": seen.items,
        "blobs": seen.blobs,
        "bytes": seen.bytes,
        "faults": [_row(finding) if ctx.obj["as_json"] else str(finding) for finding in findings],
    }


def _row(finding: Finding) -> dict[str, Any]:
    fault = finding.fault
    return {"kind": fault.kind, "subject": fault.subject, "message": fault.message, "fixed": finding.fixed}
