"""The rules for passwords that users choose."""

import pytest

from chalicelib.core.errors import Invalid
from chalicelib.core.identity import passwords


@pytest.mark.parametrize(
    "password",
    ["correct horse", "12345679", "aaaabbbc", "Zürich 1959", "carol1234", "p" * 500 + "qr" * 262, "        ab"],
)
def test_long_and_uncommon_passwords_are_accepted(password: str) -> None:
    passwords.check_chosen(password, "carol", "carol@example.org")


@pytest.mark.parametrize(
    ("password", "message"),
    [
        ("", "A password cannot be empty."),
        ("1234567", "A password has at least 8 characters."),
        ("pq" * 513, "A password has at most 1024 characters."),
        ("tab\tulator", "A password has no control characters."),
        ("carol.jones", "A password is neither your username nor your e-mail address."),
        ("CAROL.JONES@example.org", "A password is neither your username nor your e-mail address."),
        ("the-carol", "A password is neither your username nor your e-mail address."),
        ("QWERTYUIOP", "This password is one of the first that others would try."),
        ("abababab", "This password is one of the first that others would try."),
    ],
)
def test_invalid_passwords_are_rejected_with_a_reason(password: str, message: str) -> None:
    with pytest.raises(Invalid) as raised:
        passwords.check_chosen(password, "The-Carol", "carol.jones@example.org")
    assert (raised.value.message, raised.value.detail) == (message, {"field": "password"})


def test_a_missing_hash_matches_no_password() -> None:
    assert passwords.matches("the password of no account", None) is False
