"""`make deploy`: from a checkout to a running stack on AWS, or to a newer version of it.

What can be wrong is looked at first, and said in one line, before anything is made.
"""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click
from botocore.exceptions import BotoCoreError, ClientError

from infra import bootstrap, package, parameters, stages
from infra.account import enter
from infra.artefacts import Artefact, Artefacts
from infra.stack import ChangeSet, Failed, Stack
from infra.stages import STAGE, Refused

_FORCED = "FORCE=yes does it all the same"


@click.command()
@click.option("--stage", default=STAGE, show_default=True, help="A stage of .chalice/config.json.")
@click.option("--stack", "name", default="", help="The stack's name, if not moonbase-STAGE.")
@click.option("--set", "pairs", multiple=True, metavar="NAME=VALUE", help="A parameter of the template; it is kept.")
@click.option("--artefact", default="", help="What was deployed before, by its name, or `previous`.")
@click.option("--package", "made", type=click.Path(path_type=Path, file_okay=False), help="What was packaged before.")
@click.option("--force", is_flag=True, help="Even if tables, the bucket or the key are replaced or let go.")
@click.option("--yes", is_flag=True, help="Ask nothing. Where nobody sits at a terminal, nothing is asked anyway.")
def main(
    stage: str, name: str, pairs: tuple[str, ...], artefact: str, made: Path | None, force: bool, yes: bool
) -> None:
    """Deploy, and say what was done."""
    try:
        stages.settings(stage)
        given = parameters.read(pairs)
        if not artefact and not made:
            stages.check(stage)
        account = enter()
        click.echo(f"account {account.id}, region {account.region}, as {account.caller}")
        stack = Stack(account, name or stages.stack_name(stage))
        deploy(stack, stage, given, Plan(stack, stage, artefact, made), force=force, asks=not yes)
    except (Refused, Failed, BotoCoreError, ClientError) as error:
        click.echo(f"deploy: {error}", err=True)
        sys.exit(1)


class Plan:
    """Where what is deployed comes from: this checkout, a package that was made before, or an earlier deploy."""

    def __init__(self, stack: Stack, stage: str, artefact: str, made: Path | None) -> None:
        self.artefacts = Artefacts(stack.account)
        self._stage, self._made = stage, made
        self._earlier = self.artefacts.find(artefact, stack.name) if artefact else None

    def parameters(self) -> Mapping[str, Any]:
        """The parameters of the template, which may not be made yet. Raises Refused."""
        template = stages.our_template()
        if self._earlier:
            template = self.artefacts.template(self._earlier)
            package.check_stage(template, stages.api_stage(self._stage))
        found: Mapping[str, Any] = template["Parameters"]
        return found

    def prepare(self) -> Path | None:
        """Make the package, or look at the one that there is; none for what was deployed before. Raises Refused."""
        if self._earlier:
            return None
        if self._made is None:
            return package.build(self._stage)
        package.look_at(self._made, stages.api_stage(self._stage))
        return self._made

    def stored(self, prepared: Path | None) -> Artefact:
        """The artefact in the bucket."""
        if self._earlier:
            return self._earlier
        assert prepared, "what was not deployed before was prepared"
        return self.artefacts.upload(prepared)


def deploy(stack: Stack, stage: str, given: Mapping[str, str], plan: Plan, *, force: bool, asks: bool) -> None:
    """Look, make what is missing, show what would change, and change it. Raises Refused or Failed."""
    new = not stack.check()
    if new and (left := stack.tables()):  # they outlive their stack, and a new one cannot have their names
        raise Refused(
            f"there are tables of an earlier stack {stack.name} ({', '.join(left)}): `make remove DATA=yes` deletes "
            "them; STACK= names another stack; docs/aws.md tells how their content moves"
        )
    definitions, previous = plan.parameters(), stack.parameters()
    chosen = parameters.choose(definitions, previous, given)
    parameters.check(stack.account, definitions, previous, given)
    prepared = plan.prepare()
    for make in (bootstrap.make_artefacts_bucket, bootstrap.let_gateway_log):
        if what := make(stack.account):
            click.echo(f"made for all stacks of this region: {what}")
    artefact = plan.stored(prepared)
    click.echo(f"artefact {artefact.name}")
    change_set = stack.propose(plan.artefacts.url(artefact), chosen, new=new)
    if change_set.changes:
        _agree(change_set, new=new, force=force, asks=asks)
        change_set.execute(new=new)
    else:
        click.echo(f"{stack.name} is so already")
    plan.artefacts.record(stack.name, artefact)
    _tell(stack, stage, {**previous, **given})


def _agree(change_set: ChangeSet, *, new: bool, force: bool, asks: bool) -> None:
    """Show the changes, and ask whoever is there. Raises Refused, also for what would lose data."""
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
        raise Refused(f"what holds data would be lost: {', '.join(lost)}; {_FORCED}" if lost else "nothing was changed")


def _tell(stack: Stack, stage: str, values: Mapping[str, str]) -> None:
    """Where it stands, and what comes next."""
    outputs = stack.outputs()
    hosts = [values[name] for name in parameters.HOSTS if values.get(name)]
    click.echo(f"\n{stack.name} stands: {f'https://{hosts[0]}/' if hosts else outputs['EndpointURL']}\n")
    for number, host in enumerate(hosts, 1):
        target = outputs[f"HostTarget{number if number > 1 else ''}"]
        click.echo(f"  {host} has to lead to {target} (a CNAME, or an alias in the zone {outputs['HostZone']})")
    for line in _next_steps(stack.name, stage, values):
        click.echo(f"  {line}")


def _next_steps(name: str, stage: str, values: Mapping[str, str]) -> Sequence[str]:
    named = f"STAGE={stage}" if name == stages.stack_name(stage) else f"STAGE={stage} STACK={name}"
    steps = [
        f"an admin:            ./moonbase --stack {name} user create NAME --email NAME@example.org --admin",
        f"from one machine:    ./moonbase --data DIR export FILE; ./moonbase --stack {name} import FILE",
        f"the version before:  make deploy {named} ARTEFACT=previous",
    ]
    if not values.get("AlarmEmail"):
        steps.append(f'alarms by mail:      make deploy {named} SET="AlarmEmail=..."')
    return steps


if __name__ == "__main__":
    main()
