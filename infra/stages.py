"""The stages in `.chalice/config.json`, and the check that one can be packaged here."""

import json
import sys
from functools import cache
from pathlib import Path
from typing import Any

from chalice.package import YAMLTemplateSerializer

ROOT = Path(__file__).resolve().parent.parent
TEMPLATE = ROOT / "infra" / "template.yml"
STAGE = "prod"

# Lambda's Python versions for which requirements.txt has wheels. Chalice uses the version that it runs under.
PYTHONS = ((3, 11), (3, 12), (3, 13))


class Refused(Exception):
    """The command did nothing; the message is the reason, in one line."""


def check(stage: str, python: tuple[int, int] = sys.version_info[:2]) -> None:
    """Raise Refused for an unknown stage, for invalid settings, and for a Python version that Lambda does not have."""
    settings(stage)
    if python not in PYTHONS:
        known = ", ".join(f"{major}.{minor}" for major, minor in PYTHONS)
        raise Refused(
            f"Python {python[0]}.{python[1]} is not supported on Lambda ({known}): "
            "`make clean`, and choose another version, as in PYTHON=python3.12"
        )


def settings(stage: str) -> dict[str, str]:
    """The environment variables that a stage sets for its functions. Raises Refused for invalid ones."""
    config = _config()
    if stage not in config["stages"]:
        known = ", ".join(sorted(config["stages"]))
        raise Refused(f"there is no stage {stage} in .chalice/config.json, which has: {known}")
    found: dict[str, Any] = {}
    for section in (config, config["stages"][stage]):
        found.update(section.get("environment_variables", {}))
    _check_settings(found)
    return found


def api_stage(stage: str) -> str:
    """The stage of API Gateway: the first segment of all paths under AWS' own host name."""
    return str(_config()["stages"][stage]["api_gateway_stage"])


@cache
def our_template() -> dict[str, Any]:
    """The content of `infra/template.yml`, which is merged into Chalice's template; callers must not change it."""
    template: dict[str, Any] = YAMLTemplateSerializer().load_template(TEMPLATE.read_text())
    return template


def stack_name(stage: str) -> str:
    """The default name of a stage's stack."""
    return f"moonbase-{stage}"


def _check_settings(found: dict[str, Any]) -> None:
    from chalicelib.settings import Settings  # not above: the import reads the environment, which may be invalid

    known = {f"MOONBASE_{name.upper()}" for name in Settings.__dataclass_fields__}
    of_the_stack = our_template()["Resources"]["APIHandler"]["Properties"]["Environment"]["Variables"]
    for name, value in found.items():
        if name not in known:
            raise Refused(f"{name} in .chalice/config.json is no setting; chalicelib/settings.py lists them")
        if name in of_the_stack:
            raise Refused(f"{name} in .chalice/config.json: the template sets this variable")
        if not isinstance(value, str):
            raise Refused(f"{name} in .chalice/config.json must be a string")
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
