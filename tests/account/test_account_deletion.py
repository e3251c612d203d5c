"""The deletion of an account: its works go to another account or are removed, and nothing personal is left."""

from typing import Any

import pytest

from chalicelib.account import feed, ssh_key
from chalicelib.contentdb.entry import PackageEntry
from chalicelib.contentdb.reviews import index as review_index
from chalicelib.contentdb.store import index as contentdb_index
from chalicelib.core import activity, deletion, events, fsck, job_runner
from chalicelib.core.activity import ActivityFilter
from chalicelib.core.caller import Caller, Device
from chalicelib.core.errors import Conflict, CoreError, Invalid, Unauthenticated
from chalicelib.core.identity import accounts, credentials, sessions, two_factor
from chalicelib.core.notifications import unsubscribing
from chalicelib.core.outbound import ssh_keys
from chalicelib.core.tables import (
    Account,
    AuditEntry,
    Claim,
    CoreItem,
    Familiar,
    Mailbox,
    Notification,
    SshHost,
    SshKey,
)
from chalicelib.core.webhooks import deliveries, hooks
from chalicelib.core.webhooks.tables import Webhook, WebhookMessage
from chalicelib.luadns import store as luadns_store
from chalicelib.luadns.store import Owner
from chalicelib.luarocks import custom_manifests
from chalicelib.luarocks import index as luarocks_index
from tests import aws_calls
from tests.client import Client
from tests.hostile import store
from tests.hostile.store import Store
from tests.luarocks.builders import rockspec


@pytest.fixture
def filled(aws: None) -> Store:
    """Accounts with works in all services; almost all are Alice's."""
    return store.fill()


@pytest.fixture
def alice(filled: Store) -> Account:
    return accounts.named("alice0")


@pytest.fixture
def bob(filled: Store) -> Account:
    return accounts.named("bob0")


def delete(account: Account, heir: Account | None = None, **more: Any) -> list[str]:
    return list(deletion.delete(accounts.named(account.username), heir, **more))


def remove_zone(account: Account) -> None:
    """Remove what cannot be transferred."""
    belongings = next(each for each in deletion._belongings() if each.title == "LuaDNS zones")
    for name in belongings.names(account):
        belongings.remove(account, name)


def keys_of_packages() -> set[str]:
    entries = contentdb_index.catalogue.snapshot().entries.values()
    return {entry.key for entry in entries if isinstance(entry.value, PackageEntry)}


def items_of(account: Account, hook: Webhook) -> set[type[CoreItem]]:
    """The models of the items whose partitions are named for an account or its webhook."""
    names = {f"#{int(account.id)}", f"#{account.username}"}
    found = [item for item in CoreItem.scan() if any(item.pk.endswith(name) for name in names)]
    found += CoreItem.query(hooks.messages_of(hook))
    return {type(item) for item in found}


def test_an_account_with_works_is_not_deleted_without_a_choice(alice: Account) -> None:
    with pytest.raises(Conflict, match="alice0 still has works") as refused:
        delete(alice)
    for name in ("alice0/say", "alice0/lamps", "alice0.test", "thing0"):
        assert name in refused.value.message
    assert accounts.named("alice0").suspended is False


def test_zones_cannot_be_transferred(alice: Account, bob: Account) -> None:
    with pytest.raises(Conflict, match="These cannot be transferred, remove them first: LuaDNS zones"):
        delete(alice, bob)
    assert accounts.named("alice0").suspended is False


def test_works_are_transferred_with_their_files(alice: Account, bob: Account) -> None:
    remove_zone(alice)
    done = delete(alice, bob)
    assert "transferred alice0/say to bob0" in done
    modules = luarocks_index.modules(luarocks_index.catalogue.snapshot(), luarocks_index.user_group("bob0"))
    assert {key: entry.value.owners for key, entry in modules.items()} == {
        "bob0/say": {"cora0": int(accounts.named("cora0").id)},
        "bob0/mine0": {},
    }
    assert list(custom_manifests.get("team0").admins) == ["cora0"]
    assert {key for key in keys_of_packages() if key.startswith("alice0/")} == set()
    assert "bob0/lamps" in keys_of_packages()
    client = Client()
    assert client.get("/modules/bob0/say").status == 200
    assert client.get("/api/packages/bob0/lamps/").json["author"] == "bob0"
    old = client.get("/api/packages/alice0/lamps/")
    assert (old.status, str(old.header("location")).endswith("/api/packages/bob0/lamps/")) == (302, True)
    assert list(fsck.check(fsck.FsckScan(), lambda _: None)) == []


def test_works_are_removed(alice: Account) -> None:
    delete(alice, removes=True)
    modules = luarocks_index.catalogue.snapshot()
    assert not luarocks_index.modules(modules, luarocks_index.owner_group(int(alice.id)))
    assert not any(key.startswith("alice0/") for key in keys_of_packages())
    assert contentdb_index.collections(contentdb_index.catalogue.snapshot()) == {}
    assert luadns_store.zones(Owner(int(alice.id))) == []
    assert list(custom_manifests.get("team0").admins) == ["cora0"]
    assert list(fsck.check(fsck.FsckScan(), lambda _: None)) == []
    kinds = {(event.kind, event.action) for event in events.unnumbered() if event.actor in (None, "the command line")}
    assert kinds >= {("module", "delete"), ("package", "delete"), ("manifest", "change"), ("file", "delete")}


def test_memberships_and_texts_about_others_works_end(filled: Store, alice: Account, bob: Account) -> None:
    client, key = Client(), filled.identity("owner", "luarocks").secret
    assert client.request("PUT", f"/api/1/{key}/modules/alice0/say/owners/bob0").status == 200
    theirs = filled.identity("stranger", "luarocks").secret
    assert client.request("PUT", f"/api/1/{theirs}/modules/alice0/say/owners/bob0").status == 200
    assert len(list(review_index.catalogue.snapshot().entries)) == 1
    assert delete(bob) == ["suspended bob0", "deleted bob0"]
    (entry,) = luarocks_index.modules(
        luarocks_index.catalogue.snapshot(), luarocks_index.manifest_group("team0")
    ).values()
    assert "bob0" not in entry.value.owners
    assert list(review_index.catalogue.snapshot().entries) == []


def test_nothing_personal_is_left(filled: Store, bob: Account) -> None:
    secrets = [filled.identity("stranger", service).secret for service in ("luarocks", "contentdb", "hel", "session")]
    delete(bob)
    left = accounts.get(int(bob.id))
    assert (left.username, left.email, left.password_hash, left.two_factor) == ("bob0", "", None, None)
    assert [item.sk for item in CoreItem.query(f"account#{int(bob.id)}")] == ["account"]
    assert "bob0" not in [account.username for account in accounts.list_accounts()]
    for secret, service in zip(secrets, ("luarocks", "contentdb", "hel", "session"), strict=True):
        with pytest.raises(CoreError):
            credentials.identify(secret, service)
    with pytest.raises(Unauthenticated):
        accounts.log_in("bob0", store.PASSWORD)
    assert accounts.create("other", "bob0@example.org").email == "bob0@example.org"  # the address is free again
    with pytest.raises(accounts.UsernameTaken):
        accounts.create("BOB0", "x@example.org")


def test_no_item_of_the_account_is_left_but_its_name_and_the_log(filled: Store, bob: Account) -> None:
    number, by = int(bob.id), Caller(bob, credentials.create(bob, credentials.SESSION)[0])
    hook, _ = hooks.create(hooks.of_account(number), by, "https://example.org/hook", "", {})
    deliveries.send_test(hooks.of_account(number), hook)
    ssh_key.create(by)
    ssh_keys.pin(ssh_keys.of_account(number), {"git.example.org:22": f"ssh-ed25519 {'AAAA' * 17}"})
    feed.renew(by)
    unsubscribing.path_for(number, unsubscribing.ALL)
    for client in ("Browser", "Phone"):
        sessions.open_session(bob, None, Device("198.51.100.1", client))
    before = items_of(bob, hook)
    assert before >= {Webhook, WebhookMessage, SshKey, SshHost, Familiar, Mailbox, Notification}
    delete(bob)
    while job_runner.run_due():
        pass
    assert items_of(bob, hook) == {Account, AuditEntry, Claim}
    assert [key for key in credentials.list_credentials(bob) if not key.revoked_at] == []


def test_a_deleted_account_is_not_changed_any_more(bob: Account) -> None:
    delete(bob)
    gone = accounts.named("bob0")
    for change in (
        lambda: accounts.restore(gone),
        lambda: accounts.set_password(gone, "a new password"),
        lambda: accounts.set_email(gone, "new@example.org"),
        lambda: credentials.create(gone, "luarocks"),
        lambda: two_factor.enable(gone),
        lambda: two_factor.disable(gone),
    ):
        with pytest.raises(Conflict, match="The account bob0 has been deleted"):
            change()


def test_old_entries_keep_the_name(bob: Account) -> None:
    delete(bob)
    newest = activity.describe(activity.find(ActivityFilter()).entries)[0]
    assert newest.text == "the command line deleted bob0"


def test_an_interrupted_deletion_is_continued(alice: Account, bob: Account) -> None:
    remove_zone(alice)
    deaths = 0
    while aws_calls.dies(lambda: delete(alice, bob), 3, "TransactWriteItems"):
        deaths += 1
    assert (deaths > 3, accounts.named("alice0").deleted_at is not None) == (True, True)
    assert "bob0/lamps" in keys_of_packages()
    assert list(fsck.check(fsck.FsckScan(), lambda _: None)) == []


def test_a_manifest_of_one_admin_is_transferred_or_removed(alice: Account, bob: Account) -> None:
    for name in ("mine", "gone"):
        custom_manifests.create(name, bob, None)
    custom_manifests.add("gone", "alice0", "say", None)
    heir = accounts.named("carol0")
    belongings = next(each for each in deletion._belongings() if each.title == "LuaRocks manifests")
    assert belongings.names(bob) == ["m/gone", "m/mine"]
    belongings.remove(bob, "m/gone")
    delete(bob, heir)
    assert custom_manifests.find("gone") is None
    assert list(custom_manifests.get("mine").admins) == ["carol0"]


def test_a_name_that_the_heir_has_is_refused_and_the_rest_continued(
    filled: Store, alice: Account, bob: Account
) -> None:
    remove_zone(alice)
    client, key = Client(), filled.identity("stranger", "luarocks").secret
    files = {"rockspec_file": ("x.rockspec", rockspec())}
    assert client.post(f"/api/1/{key}/upload", files=files).status == 200
    with pytest.raises(Invalid, match="bob0 already has a module say"):
        delete(alice, bob)
    assert accounts.named("alice0").deleted_at is None
    carol = accounts.named("carol0")
    delete(alice, carol)
    assert accounts.named("alice0").deleted_at


def test_administrators_and_bad_heirs_are_refused(filled: Store, alice: Account) -> None:
    with pytest.raises(Conflict, match="root0 is an administrator"):
        delete(accounts.named("root0"))
    for name in ("alice0", "eve0"):
        with pytest.raises(Invalid, match="cannot get the works"):
            delete(alice, accounts.named(name))
