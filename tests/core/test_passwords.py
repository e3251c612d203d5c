"""Passwords that people choose for themselves."""

import pytest

from chalicelib.core import passwords
from chalicelib.core.errors import Invalid


@pytest.mark.parametrize(
    "password",
    ["correct horse", "12345679", "aaaabbbc", "Zürich 1959", "carol1234", "p" * 500 + "qr" * 262, "        ab"],
)
def test_what_is_long_enough_and_no_first_guess_may_be_chosen(password: str) -> None:
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
def test_what_may_not_be_chosen_is_told(password: str, message: str) -> None:
    with pytest.raises(Invalid) as refusal:
        passwords.check_chosen(password, "The-Carol", "carol.jones@example.org")
    assert (refusal.value.message, refusal.value.detail) == (message, {"field": "password"})


def test_nobodys_password_is_compared_to_something() -> None:
    assert passwords.matches("nobody's password", None) is False
