"""The checks of a stage and its settings before it is packaged."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from infra import stages
from infra.stages import Refused


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A function that writes another `.chalice/config.json` than ours."""
    monkeypatch.setattr(stages, "ROOT", tmp_path)
    (tmp_path / ".chalice").mkdir()

    def write(variables: dict[str, Any], everywhere: dict[str, Any] | None = None) -> None:
        written = {"environment_variables": everywhere or {}, "stages": {"prod": {"environment_variables": variables}}}
        (tmp_path / ".chalice" / "config.json").write_text(json.dumps(written))

    return write


@pytest.mark.parametrize("stage", ["prod", "dev"])
@pytest.mark.parametrize("python", [(3, 11), (3, 12), (3, 13)])
def test_our_stages_can_be_packaged_by_lambdas_pythons(stage: str, python: tuple[int, int]) -> None:
    stages.check(stage, python)


@pytest.mark.parametrize("python", [(3, 10), (3, 14), (3, 15)])
def test_another_python_is_refused_with_the_list_of_supported_ones(python: tuple[int, int]) -> None:
    version = f"{python[0]}.{python[1]}"
    with pytest.raises(Refused, match=rf"Python {re.escape(version)} is not supported .*\(3.11, 3.12, 3.13\).*PYTHON="):
        stages.check("prod", python)


def test_an_unknown_stage_is_refused_with_the_known_ones() -> None:
    with pytest.raises(Refused, match=r"there is no stage production in .*, which has: dev, prod"):
        stages.check("production")


def test_settings_of_a_stage_override_those_of_all_stages(config: Any) -> None:
    config({"MOONBASE_HEL_PAGE": "30"}, {"MOONBASE_HEL_PAGE": "10", "MOONBASE_LUAROCKS_READS": "key"})
    assert stages.settings("prod") == {"MOONBASE_HEL_PAGE": "30", "MOONBASE_LUAROCKS_READS": "key"}


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [
        ("MOONBASE_HELL_PAGE", "20", "MOONBASE_HELL_PAGE in .* is no setting"),
        ("HEL_PAGE", "20", "HEL_PAGE in .* is no setting"),
        ("MOONBASE_TABLES", "mine", "MOONBASE_TABLES in .*: the template sets this variable"),
        ("MOONBASE_HEL_PAGE", 20, "MOONBASE_HEL_PAGE in .* must be a string"),
        ("MOONBASE_HEL_PAGE", "many", "MOONBASE_HEL_PAGE must be a whole number, not 'many'"),
        ("MOONBASE_LUAROCKS_READS", "all", "MOONBASE_LUAROCKS_READS must be one of: 'public', 'key'"),
    ],
)
def test_an_invalid_setting_is_refused(config: Any, name: str, value: Any, error: str) -> None:
    config({name: value})
    with pytest.raises(Refused, match=error):
        stages.check("prod", (3, 11))


def test_a_stages_stack_is_named_after_it() -> None:
    assert stages.stack_name("prod") == "moonbase-prod"


def test_a_configuration_that_is_not_json_is_refused(config: Any, tmp_path: Path) -> None:
    (tmp_path / ".chalice" / "config.json").write_text("{,}")
    with pytest.raises(Refused, match=r"\.chalice/config\.json cannot be read: Expecting property name"):
        stages.check("prod", (3, 11))
