"""`moonbase fsck`: looks for what cannot be right, and mends what can be mended."""

from dataclasses import dataclass
from typing import Any

import click

from chalicelib.core.inventory import Fault
from commands.progress import bar


@dataclass(frozen=True)
class Finding:
    """A fault, and whether it was mended."""

    fault: Fault
    fixed: bool

    def __str__(self) -> str:
        mended = " (mended)" if self.fixed else ""
        return f"  {self.fault.kind}: {self.fault.subject}: {self.fault.message}{mended}"


@click.command()
@click.option("--fix", is_flag=True, help="Mend what can be mended.")
@click.option("--quick", is_flag=True, help="Do not read the files' contents.")
@click.pass_context
def fsck(ctx: click.Context, fix: bool, quick: bool) -> dict[str, Any]:
    """Look for what cannot be right; a server may be running. Exit code 1 when faults remain."""
    import app  # noqa: F401  (with it every service, and what its items hold, is there)
    from chalicelib.core import blobs
    from chalicelib.core import fsck as rules
    from standalone.tables import MODELS

    seen = rules.Seen()
    findings = []
    length = 0 if quick else sum(stored.size for stored in blobs.listed())
    with bar(ctx, "reading", length) as progress:
        for fault in rules.check(MODELS, seen, progress, contents=not quick):
            mended = fix and fault.fix is not None
            if mended and fault.fix:
                fault.fix()
            findings.append(Finding(fault, mended))
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
