"""Every command of the tree: its help is complete, and its errors are one line for people, or one JSON object."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest

from commands.main import main
from tests import warm
from tests.servers import moonbase

# An error number, a trace, or the name of an exception.
NOT_FOR_PEOPLE = re.compile(r"\[Errno|Traceback|\b[A-Z][A-Za-z]+(Error|Exception|NotFound|Invalid)\b|_ssl\.c")
CREATES_DATA = {("user", "create"), ("import",)}

Words = tuple[str, ...]


def commands(group: click.Group, path: Words = ()) -> Iterator[tuple[Words, click.Command]]:
    """Yield every command, groups too, with its words."""
    for name, command in group.commands.items():
        yield (*path, name), command
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))


EVERY = dict(commands(main))
LEAVES = {words: command for words, command in EVERY.items() if not isinstance(command, click.Group)}
OF_FILES = {
    words: command
    for words, command in LEAVES.items()
    if any(isinstance(each.type, click.Path | click.File) for each in command.params)
    and words not in (("serve",), ("log", "verify"))  # their files are optional
}


def value_of(parameter: click.Parameter, file: str) -> str:
    """A well-formed value of a parameter, for something that does not exist."""
    match parameter.type:
        case click.Path() | click.File():
            return file
        case click.Choice(choices=choices):
            return str(choices[0])
        case click.types.IntParamType():
            return "7"
    special = {"service": "luarocks", "rank": "MEMBER", "source": file, "email": "nobody@example.org"}
    if "/" in (parameter.metavar or ""):
        return "nobody/nothing"
    return special.get(parameter.name or "", "nobody")


def line_of(words: Words, command: click.Command, file: str) -> list[str]:
    """The command line with all that the command requires."""
    line = list(words)
    for parameter in command.params:
        if isinstance(parameter, click.Argument) and (parameter.required or parameter.nargs == 1):
            line.append(value_of(parameter, file))
        elif isinstance(parameter, click.Option) and parameter.required:
            line += [parameter.opts[0], value_of(parameter, file)]
    return line


def check(data: Path, line: list[str], codes: set[int]) -> None:
    done = warm.run(("--json", "--data", str(data), *line))
    shown = f"{line}: {done.stdout}{done.stderr}"
    assert done.returncode in codes, shown
    assert not NOT_FOR_PEOPLE.search(done.stdout + done.stderr), shown
    answer: Any = json.loads(done.stdout)
    if done.returncode:
        assert list(answer) == ["error"], shown
        assert re.fullmatch(r"[^\n]+", answer["error"]), shown


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("every") / "data"
    moonbase(directory, "user", "create", "alice", "--email", "alice@example.org", "--password", "wonderland")
    return directory


@pytest.mark.parametrize("words", EVERY, ids=" ".join)
def test_a_command_and_its_options_have_a_help(words: Words) -> None:
    command = EVERY[words]
    assert command.help
    assert not command.get_short_help_str(90).endswith("..."), command.get_short_help_str(90)
    options = [each for each in command.params if isinstance(each, click.Option)]
    assert [each.name for each in options if not each.help] == []


def test_a_missing_data_directory_is_one_line(tmp_path: Path) -> None:
    for words, command in LEAVES.items():
        if words != ("serve",) and words not in CREATES_DATA:
            check(tmp_path / "none", line_of(words, command, str(tmp_path / "no-file")), {1, 2})


@pytest.mark.parametrize("directory", ["file/data", "/proc/none/data", "file"])
def test_an_unusable_data_directory_is_one_line(tmp_path: Path, directory: str) -> None:
    (tmp_path / "file").write_text("")
    for line in (["user", "list"], ["user", "create", "bob", "--email", "bob@example.org"], ["serve", "--port", "0"]):
        check(tmp_path / directory, line, {1, 2})


def test_something_that_does_not_exist_is_one_line(data: Path, tmp_path: Path) -> None:
    for words, command in LEAVES.items():
        if words != ("serve",):
            check(data, line_of(words, command, str(tmp_path / "no-file")), {0, 1, 2})


@pytest.mark.parametrize("words", [*OF_FILES, ("luarocks", "import")], ids=" ".join)
def test_an_unusable_file_is_one_line(data: Path, tmp_path: Path, words: Words) -> None:
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "binary").write_bytes(bytes(range(256)) * 40)
    (tmp_path / "directory").mkdir()
    accounts = [*line_of(words, LEAVES[words], "FILE"), *(["--account", "alice"] if words[0] == "luarocks" else [])]
    for file in ("none", "empty", "binary", "directory", "empty/below", "/proc/none/file"):
        is_usable = (words[0], file) in (("luarocks", "directory"), ("export", "none"))
        codes = {0} if is_usable else {1, 2}
        check(data, [str(tmp_path / file) if each == "FILE" else each for each in accounts], codes)


@pytest.mark.parametrize("key", ["none", "empty", "directory", "empty/below"])
def test_an_unusable_key_file_is_one_line(data: Path, tmp_path: Path, key: str) -> None:
    moonbase(data, "two-factor", "enable", "alice")
    backup = tmp_path / "backup.tar"
    moonbase(data, "export", str(backup))
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "directory").mkdir()
    check(tmp_path / "other", ["import", str(backup), "--key", str(tmp_path / key)], {1, 2})
    if key != "none":
        check(data, ["export", str(tmp_path / "again.tar"), "--key", str(tmp_path / key)], {1, 2})


@pytest.mark.parametrize("file", ["empty", "binary"])
def test_an_unusable_certificate_is_one_line(data: Path, tmp_path: Path, file: str) -> None:
    (tmp_path / file).write_bytes(b"" if file == "empty" else bytes(range(256)))
    options = ["--tls-cert", str(tmp_path / file), "--tls-key", str(tmp_path / file)]
    check(data, ["serve", "--port", "0", *options], {1})


def test_with_json_nothing_is_asked(data: Path) -> None:
    for line, option in (
        (["luarocks", "delete", "alice/say"], "--yes"),
        (["user", "password", "alice"], "--password"),
    ):
        done = warm.run(("--json", "--data", str(data), *line))
        error = {"error": f"with --json nothing is asked: add {option}"}
        assert (done.returncode, json.loads(done.stdout)) == (2, error)


def test_a_question_without_an_answer_changes_nothing(data: Path) -> None:
    done = warm.run(("--data", str(data), "luarocks", "delete", "alice/say"))
    assert (done.returncode, done.stdout) == (130, "")
    assert done.stderr.endswith("moonbase: aborted\n")


def test_a_value_of_the_option_json_is_answered_in_json(data: Path) -> None:
    done = warm.run(("--json=yes", "--data", str(data), "user", "list"))
    assert (done.returncode, json.loads(done.stdout)) == (2, {"error": "Option '--json' does not take a value."})


def test_json_can_be_the_last_word(data: Path) -> None:
    for line in (["user", "list"], ["user", "nosuch"], ["user", "show"]):
        first = warm.run(("--data", str(data), "--json", *line))
        last = warm.run(("--data", str(data), *line, "--json"))
        assert (last.returncode, last.stdout) == (first.returncode, first.stdout)


@pytest.mark.parametrize(
    ("password", "error"),
    [
        ("short", "A password has at least 8 characters."),
        ("password123", "This password is one of the first that others would try."),
        ("carol@example.org", "A password is neither your username nor your e-mail address."),
    ],
)
def test_a_password_follows_the_rule_of_the_pages(data: Path, password: str, error: str) -> None:
    check_error(data, ["user", "create", "carol", "--email", "carol@example.org", "--password", password], error)
    if "@" not in password:
        check_error(data, ["user", "password", "alice", "--password", password], error)
    assert "carol" not in [row["username"] for row in moonbase(data, "user", "list")]


def check_error(data: Path, line: list[str], error: str) -> None:
    done = warm.run(("--json", "--data", str(data), *line))
    assert (done.returncode, json.loads(done.stdout)) == (1, {"error": error})
