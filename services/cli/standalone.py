"""`galw standalone`: run everything on this machine."""

import sys

import click


@click.command(
    context_settings={"ignore_unknown_options": True, "allow_extra_args": True},
    add_help_option=False,
    short_help="Run everything on this machine.",
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def command(arguments: tuple[str, ...]) -> None:
    """Run everything on this machine; `galw standalone --help` lists the settings."""
    from services.standalone.__main__ import main  # imported late: it brings the whole server

    sys.exit(main(list(arguments)))
