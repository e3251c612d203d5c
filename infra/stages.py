"""The stages that `.chalice/config.json` knows, and whether one can be packaged here; looked at before all else."""

import json
import sys
from pathlib import Path
from typing import Any

from chalice.package import YAMLTemplateSerializer

ROOT = Path(__file__).resolve().parent.parent
TEMPLATE = ROOT / "infra" / "template.yml"
STAGE = "prod"

# Lambda's Pythons for which what requirements.txt names has wheels. Chalice takes the one that it runs under.
PYTHONS = ((3, 11), (3, 12), (3, 13))


class Refused(Exception):
    """Why nothing is done, in one line."""


def check(stage: str, python: tuple[int, int] = sys.version_info[:2]) -> None:
    """Raises Refused for an unknown stage, for settings that are none, and for a Python that Lambda does not run."""
    settings(stage)
    if python not in PYTHONS:
        known = ", ".join(f"{major}.{minor}" for major, minor in PYTHONS)
        raise Refused(
            f"Python {python[0]}.{python[1]} is none of those that this runs on at Lambda ({known}): "
            "`make clean`, and name another, as in PYTHON=python3.12"
        )


def settings(stage: str) -> dict[str, str]:
    """The variables that functions get from a stage's `environment_variables`. Raises Refused."""
    config = _config()
    if stage not in config["stages"]:
        known = ", ".join(sorted(config["stages"]))
        raise Refused(f"there is no stage {stage} in .chalice/config.json, which has: {known}")
    found: dict[str, Any] = {}
    for place in (config, config["stages"][stage]):
        found.update(place.get("environment_variables", {}))
    _check_settings(found)
    return found


def api_stage(stage: str) -> str:
    """The stage of API Gateway: what leads the paths where there is no host name of our own."""
    return str(_config()["stages"][stage]["api_gateway_stage"])


def our_template() -> dict[str, Any]:
    """What `infra/template.yml` adds to Chalice's template."""
    template: dict[str, Any] = YAMLTemplateSerializer().load_template(TEMPLATE.read_text())
    return template


def stack_name(stage: str) -> str:
    """What the stack of a stage is called, unless it is given another name."""
    return f"moonbase-{stage}"


def _check_settings(found: dict[str, Any]) -> None:
    from chalicelib.settings import Settings  # here, because it reads the environment, which may be wrong

    known = {f"MOONBASE_{name.upper()}" for name in Settings.__dataclass_fields__}
    of_the_stack = our_template()["Globals"]["Function"]["Environment"]["Variables"]
    for name, value in found.items():
        if name not in known:
            raise Refused(f"{name} in .chalice/config.json is no setting; chalicelib/settings.py lists them")
        if name in of_the_stack:
            raise Refused(f"{name} in .chalice/config.json: the stack sets this itself")
        if not isinstance(value, str):
            raise Refused(f"{name} in .chalice/config.json must be text, in quotes")
    try:
        Settings.from_environment(found)
    except ValueError as error:
        raise Refused(f".chalice/config.json: {error}") from None


def _config() -> dict[str, Any]:
    try:
        config: dict[str, Any] = json.loads((ROOT / ".chalice" / "config.json").read_text())
    except ValueError as error:
        raise Refused(f".chalice/config.json cannot be read: {error}") from None
    return config
