"""The command line teaches: every command says what it does, shows an example, and can answer in JSON."""

from collections.abc import Iterator

import click
import pytest
from click.testing import CliRunner

from services.cli.__main__ import main

_ELSEWHERE = {"standalone"}
"""Commands with a help of their own."""

_NOT_JSON = {"pace", "packs check", "packs show", "packs diff", "packs test", "standalone"}
"""Commands that print a page or speak JSON anyway."""


def commands(group: click.Group = main, prefix: str = "") -> Iterator[tuple[str, click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None, name
        if isinstance(command, click.Group):
            yield from commands(command, f"{prefix}{name} ")
        else:
            yield f"{prefix}{name}", command


@pytest.mark.parametrize(("name", "command"), list(commands()))
def test_every_command_explains_itself(name: str, command: click.Command) -> None:
    if name in _ELSEWHERE:
        return
    said = CliRunner().invoke(main, [*name.split(), "--help"]).output
    assert "Example" in said, said
    assert f"galw {name}" in said, said
    undescribed = [one.name for one in command.params if isinstance(one, click.Option) and not one.help]
    assert undescribed == []
    if name not in _NOT_JSON:
        assert "--json" in said


def test_a_word_that_is_no_command_is_told() -> None:
    done = CliRunner().invoke(main, ["campaign", "launch"])
    assert done.exit_code == 2
    assert "No such command 'campaign'" in done.output
