"""The audit log: entries have action, account and credential, and are atomic with their action."""

from datetime import UTC, datetime

import pytest
import time_machine

from chalicelib.core import audit
from chalicelib.core.caller import Caller
from chalicelib.core.errors import Conflict
from chalicelib.core.storage import Transaction
from chalicelib.core.tables import Account, AuditEntry, Claim, Credential
from tests.worlds import both_worlds

pytestmark = [pytest.mark.usefixtures("aws"), both_worlds]


def write(*entries: AuditEntry) -> None:
    writes = Transaction()
    for entry in entries:
        writes.put(entry)
    writes.commit()


def test_an_entry_has_account_action_subject_and_credential() -> None:
    moment = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)
    admin = Caller(Account("account#1", "account", id=1), Credential("credential#x", "credential", id=9))
    with time_machine.travel(moment, tick=False):
        write(audit.entry(7, "zone.delete", "zone#3", admin, name="example.org", records=2))
    (entry,) = audit.entries(7)
    assert (entry.at, entry.action, entry.subject, entry.by_account_id, entry.credential_id, entry.detail) == (
        moment,
        "zone.delete",
        "zone#3",
        1,
        9,
        {"name": "example.org", "records": 2},
    )


def test_a_caller_s_action_is_in_the_caller_s_log() -> None:
    caller = Caller(Account("account#7", "account", id=7), Credential("credential#x", "credential", id=9))
    write(audit.entry_by(caller, "rock.publish", "say 1.0-1 src"))
    (entry,) = audit.entries(7)
    assert (entry.action, entry.by_account_id, entry.credential_id) == ("rock.publish", 7, 9)


def test_an_action_without_a_caller_has_no_account_or_credential() -> None:
    write(audit.entry(7, "account.suspend", "account#7"))
    (entry,) = audit.entries(7)
    assert (entry.by_account_id, entry.credential_id, entry.detail) == (None, None, None)


def test_entries_are_listed_newest_first() -> None:
    with time_machine.travel(datetime(2026, 12, 31, 23, 59, 59, tzinfo=UTC), tick=False) as clock:
        for action in ("test.a", "test.b", "test.c"):
            write(audit.entry(7, action, "x"))
            clock.shift(0.5)
    assert [entry.action for entry in audit.entries(7)] == ["test.c", "test.b", "test.a"]


def test_two_entries_with_the_same_time_are_both_stored() -> None:
    with time_machine.travel(datetime(2026, 3, 1, tzinfo=UTC), tick=False):
        write(audit.entry(7, "test.a", "x"), audit.entry(7, "test.b", "x"))
    assert sorted(entry.action for entry in audit.entries(7)) == ["test.a", "test.b"]


def test_an_account_has_only_its_own_entries() -> None:
    write(audit.entry(1, "test.a", "x"), audit.entry(11, "test.b", "x"))
    assert [entry.action for entry in audit.entries(1)] == ["test.a"]


def test_a_rejected_action_has_no_entry() -> None:
    Claim("name#x", "claim", holder="1").save()
    writes = Transaction()
    writes.create(Claim("name#x", "claim", holder="2"), Conflict("taken"))
    writes.put(audit.entry(7, "test.take", "name#x"))
    with pytest.raises(Conflict):
        writes.commit()
    assert list(audit.entries(7)) == []
