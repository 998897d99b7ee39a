"""`galw`: everything an engineer or a script does. Each command is imported when it is used, so that all start fast."""

from importlib import import_module

import click

_COMMANDS = {
    "accounts": ("services.cli.accounts", "Who may sign in, and as what."),
    "admin": ("services.cli.admin", "Administrators and signing keys, directly on the database."),
    "campaigns": ("services.cli.campaigns", "Create, launch, show, pause, stop and watch campaigns."),
    "contacts": ("services.cli.contacts", "Import, list and show contacts."),
    "dead-letters": ("services.cli.dead_letters", "Records from Kafka that could not be applied."),
    "events": ("services.cli.events", "The topics, and telling again what was told."),
    "gate": ("services.cli.gate", "Ask whom may be called, when, and which rules say so."),
    "lists": ("services.cli.lists", "What do-not-call lists say about numbers."),
    "messages": ("services.cli.messages", "What people were written, and what they wrote back."),
    "migrate": ("services.cli.migrate", "Bring the database to the state this version needs."),
    "operators": ("services.cli.operators", "See operators, and what they do."),
    "pace": ("services.cli.pace", "Decide how many lines to place, for any dialer or simulator."),
    "packs": ("services.cli.packs", "List, show, check, compare and test rule packs."),
    "partners": ("services.cli.partners", "Partners, their endpoints, and every webhook that was sent."),
    "pools": ("services.cli.floor", "Operators and the campaigns that share them."),
    "restored": ("services.cli.restored", "After a restore: who was called since, and what to do about it."),
    "responses": ("services.cli.responses", "Export what people answered."),
    "sign-in": ("services.cli.sign_in", "Sign in and remember it for later commands."),
    "sign-out": ("services.cli.sign_in", "End the session."),
    "simulate": ("services.cli.simulate", "Simulate days on a calling floor, with charts."),
    "standalone": ("services.cli.standalone", "Run everything on this machine."),
    "trunks": ("services.cli.floor", "Lines to the carrier with their limits."),
}


class LazyGroup(click.Group):
    """A group that imports a command when somebody asks for it."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return all names, for the help."""
        return sorted(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the module of a command and return it."""
        if cmd_name not in _COMMANDS:
            return None
        module = import_module(_COMMANDS[cmd_name][0])
        own = getattr(module, cmd_name.replace("-", "_"), None)  # a module with two commands names them
        return own if isinstance(own, click.Command) else module.command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, _COMMANDS[name][1]) for name in self.list_commands(ctx)])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="galw")
def main() -> None:
    """Galw places calls and sends messages, puts an operator on the line, keeps what was said, and tells partners.

    Commands speak to the Galw at GALW_URL (http://127.0.0.1:8080 by default) as whoever signed in with `galw sign-in`.
    Exit codes: 0 done, 1 failed, 2 wrong usage, 3 not signed in, 4 not allowed, 5 not found, 6 the state has changed, 7
    the input was refused, 8 not available now.
    """


if __name__ == "__main__":
    main(prog_name="galw")
