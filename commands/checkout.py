"""Whether this code is a checkout, or a package that was installed from one and lacks `infra`."""

from pathlib import Path

PRESENT = (Path(__file__).parent.parent / "infra" / "deploy.py").exists()
COMMAND = "./moonbase" if PRESENT else "moonbase"
