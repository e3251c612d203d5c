"""docs/cost.md has the current counts: repeated here at another size."""

import json
import subprocess
import sys

from infra.stages import ROOT


def test_the_document_has_the_current_counts() -> None:
    """Cells with an arrow depend on the size and are not compared."""
    command = [sys.executable, "-m", "bench.cost", "--counts", "20"]
    counted = json.loads(subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=True, timeout=300).stdout)
    assert len(counted) > 50
    table = (ROOT / "docs" / "cost.md").read_text().partition("## What is counted")[2].partition("\n## ")[0]
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines() if line.startswith("|")
    ]
    documented = {name: cells[:4] for name, *cells in rows[2:]}
    assert set(documented) == set(counted)
    for name, cells in documented.items():
        same = [text if "→" in cell else cell for cell, text in zip(cells, counted[name], strict=True)]
        assert (name, counted[name]) == (name, same)
