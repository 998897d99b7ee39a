"""`galw events`: the news that the services tell each other."""

import click
import orjson

from services.cli.client import CommandError, Exit, GalwClient, with_client
from services.cli.finding import parse_instant
from services.cli.output import Screen, say, table_of
from services.events.topics import TOPICS


@click.group()
def command() -> None:
    """The topics on Kafka, and telling again what was told.

    \b
    Examples:
      galw events topics
      galw events republish --since 2h
    """


@command.command("topics")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, one topic a line.")
def topics(*, as_json: bool) -> None:
    """List the topics: who speaks, who hears, and for how long facts can be told again.

    \b
    Example:
      galw events topics
    """
    table = table_of("topic", "owner", "heard by", "kept", "open to others")
    for one in TOPICS:
        hours = one.retention.total_seconds() / 3600
        if as_json:
            line = {"name": one.name, "owner": one.owner, "consumers": one.consumers, "kept_h": hours}
            say(orjson.dumps({**line, "external": one.external, "personal": one.personal}))
        else:
            kept = f"{hours / 24:.0f} days" if hours > 24 else f"{hours:.0f} hours"
            table.add_row(one.name, one.owner, ", ".join(one.consumers), kept, "yes" if one.external else "no")
    if not as_json:
        Screen().print(table)


@command.command("republish")
@click.option("--since", required=True, help="From then on: a day, an instant, or an age such as 2h.")
@click.option("--topic", "chosen", multiple=True, help="Only on this topic; may be repeated.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, one service a line.")
@with_client
async def republish(client: GalwClient, *, since: str, chosen: tuple[str, ...], as_json: bool) -> None:
    """Tell again what was announced, for a consumer that lost something; whoever heard it already drops the repeat.

    Facts are kept as long as `galw events topics` says; those that name people are gone once confirmed.

    \b
    Examples:
      galw events republish --since 2h
      galw events republish --since 2027-03-31T09:00+02:00 --topic dialer.responses.v1
    """
    known = {topic.name: topic.owner for topic in TOPICS}
    if strange := sorted(set(chosen) - set(known)):
        raise CommandError(f"There is no topic {', '.join(strange)}. See: galw events topics", Exit.USAGE)
    instant = parse_instant("--since", since)
    told: list[str] = []
    for service in sorted(set(known.values())):
        own = [name for name in chosen if known[name] == service]
        if chosen and not own:
            continue
        done = await client.post(f"/api/{service}/facts/republish", {"since": instant, "topics": own or None})
        if as_json:
            say(orjson.dumps({"service": service, **done}))
        told.append(f"{service} {done['facts']:,}")
    if not as_json:
        say(f"Told again: {', '.join(told)} facts.")
