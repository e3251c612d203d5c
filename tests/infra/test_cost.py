"""docs/cost.md is in step with what requests cost: counted again, at another size."""

import json
import subprocess
import sys

from infra.stages import ROOT


def test_the_document_says_what_is_counted() -> None:
    """Where the sizes of the document differ from each other, an arrow stands; there nothing is to be compared."""
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
