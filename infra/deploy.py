"""`make deploy`: creates a stack on AWS from a checkout, or updates it.

It first checks all preconditions, and reports a problem in one line before it creates anything.
"""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click
from botocore.exceptions import BotoCoreError, ClientError

from infra import bootstrap, package, parameters, stages
from infra.account import current_account
from infra.artefacts import Artefact, Artefacts
from infra.stack import ChangeSet, Failed, Stack
from infra.stages import STAGE, Refused

_FORCED = "FORCE=yes does it anyway"


@click.command()
@click.option("--stage", default=STAGE, show_default=True, help="A stage of .chalice/config.json.")
@click.option("--stack", "name", default="", help="The stack's name, if not moonbase-STAGE.")
@click.option("--set", "pairs", multiple=True, metavar="NAME=VALUE", help="A parameter of the template; it is stored.")
@click.option("--artefact", default="", help="Deploy an earlier artefact: its name, or `previous`.")
@click.option(
    "--package", "directory", type=click.Path(path_type=Path, file_okay=False), help="Deploy an existing package."
)
@click.option("--force", is_flag=True, help="Even if this replaces or removes tables, the bucket or the key.")
@click.option("--yes", is_flag=True, help="Do not ask for confirmation at the terminal.")
def main(
    stage: str, name: str, pairs: tuple[str, ...], artefact: str, directory: Path | None, force: bool, yes: bool
) -> None:
    """Deploy, and report the result."""
    try:
        stages.settings(stage)
        given = parameters.read(pairs)
        if not artefact and not directory:
            stages.check(stage)
        account = current_account()
        click.echo(f"account {account.id}, region {account.region}, as {account.caller}")
        stack = Stack(account, name or stages.stack_name(stage))
        deploy(stack, stage, given, Source(stack, stage, artefact, directory), force=force, asks=not yes)
    except (Refused, Failed, BotoCoreError, ClientError) as error:
        click.echo(f"deploy: {error}", err=True)
        sys.exit(1)


class Source:
    """The source of a deploy: this checkout, an existing package, or an earlier artefact."""

    def __init__(self, stack: Stack, stage: str, artefact: str, directory: Path | None) -> None:
        self.artefacts = Artefacts(stack.account)
        self._stage, self._directory = stage, directory
        self._earlier = self.artefacts.find(artefact, stack.name) if artefact else None

    def parameters(self) -> Mapping[str, Any]:
        """The definitions of the template's parameters, before the package is built. Raises Refused."""
        template = stages.our_template()
        if self._earlier:
            template = self.artefacts.template(self._earlier)
            package.check_stage(template, stages.api_stage(self._stage))
        found: Mapping[str, Any] = template["Parameters"]
        return found

    def prepare(self) -> Path | None:
        """Build the package, or verify an existing one; return its directory, None for an earlier artefact.

        Raises Refused.
        """
        if self._earlier:
            return None
        if self._directory is None:
            return package.build(self._stage)
        package.verify(self._directory, stages.api_stage(self._stage))
        return self._directory

    def store(self, prepared: Path | None) -> Artefact:
        """Return the artefact in the bucket, after uploading a prepared package."""
        if self._earlier:
            return self._earlier
        assert prepared, "prepare() returns a package unless there is an earlier artefact"
        return self.artefacts.upload(prepared)


def deploy(stack: Stack, stage: str, given: Mapping[str, str], source: Source, *, force: bool, asks: bool) -> None:
    """Check, create the shared resources, show the changes of the stack, and execute them. Raises Refused or Failed."""
    new = not stack.check()
    if new and (left := stack.tables()):  # they outlive their stack, and a new stack cannot use their names
        raise Refused(
            f"there are tables of an earlier stack {stack.name} ({', '.join(left)}): `make remove DATA=yes` deletes "
            "them; STACK= sets another name; docs/aws.md describes how to move their content"
        )
    definitions, previous = source.parameters(), stack.parameters()
    chosen = parameters.choose(definitions, previous, given)
    parameters.check(stack.account, definitions, previous, given)
    prepared = source.prepare()
    for create in (bootstrap.make_artefacts_bucket, bootstrap.let_gateway_log):
        if created := create(stack.account):
            click.echo(f"created for all stacks of this region: {created}")
    artefact = source.store(prepared)
    click.echo(f"artefact {artefact.name}")
    change_set = stack.propose(source.artefacts.url(artefact), chosen, new=new)
    if change_set.changes:
        _confirm(change_set, new=new, force=force, asks=asks)
        change_set.execute(new=new)
    else:
        click.echo(f"{stack.name} is up to date")
    source.artefacts.record(stack.name, artefact)
    _report(stack, stage, {**previous, **given})


def _confirm(change_set: ChangeSet, *, new: bool, force: bool, asks: bool) -> None:
    """Show the changes, and ask for confirmation at a terminal. Raises Refused, also for changes that lose data."""
    click.echo(f"{change_set.stack.name}: {'a new stack' if new else 'changes'}")
    for change in change_set.changes:
        click.echo(f"  {change}")
    lost = [change.name for change in change_set.changes if change.loses_data]
    agreed = not lost or force
    if agreed and asks and sys.stdin.isatty():
        agreed = click.confirm("Go on?")
        lost = []
    if not agreed:
        change_set.drop(new=new)
        raise Refused(f"this would lose the data of: {', '.join(lost)}; {_FORCED}" if lost else "nothing was changed")


def _report(stack: Stack, stage: str, values: Mapping[str, str]) -> None:
    """Print the stack's URL, the DNS records that it needs, and the next steps."""
    outputs = stack.outputs()
    hosts = [values[name] for name in parameters.HOSTS if values.get(name)]
    click.echo(f"\n{stack.name} is running: {f'https://{hosts[0]}/' if hosts else outputs['EndpointURL']}\n")
    for number, host in enumerate(hosts, 1):
        target = outputs[f"HostTarget{number if number > 1 else ''}"]
        click.echo(f"  {host} must point to {target} (a CNAME, or an alias in the zone {outputs['HostZone']})")
    for line in _next_steps(stack.name, stage, values):
        click.echo(f"  {line}")


def _next_steps(name: str, stage: str, values: Mapping[str, str]) -> Sequence[str]:
    named = f"STAGE={stage}" if name == stages.stack_name(stage) else f"STAGE={stage} STACK={name}"
    steps = [
        f"create an admin:     ./moonbase --stack {name} user create NAME --email NAME@example.org --admin",
        f"import your data:    ./moonbase --data DIR export FILE; ./moonbase --stack {name} import FILE",
        f"roll back:           make deploy {named} ARTEFACT=previous",
    ]
    if not values.get("AlarmEmail"):
        steps.append(f'get alarm mails:     make deploy {named} SET="AlarmEmail=..."')
    return steps


if __name__ == "__main__":
    main()
