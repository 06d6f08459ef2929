"""Whether a command that a file or a text names is one of the command line's."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator

from typer.core import TyperGroup
from typer.main import get_command

from app.cli import app


def check_command(words: list[str]) -> None:
    """Fail unless `rationale <subcommands> --options` exists; a placeholder such as `<id>` is any word."""
    command, rest = get_command(app), words[1:]
    while isinstance(command, TyperGroup) and not {"--help"} & set(rest[:1]):
        if command.invoke_without_command and not (rest and rest[0] in command.commands):
            break
        assert rest, f"{words}: a subcommand is missing"
        assert rest[0] in command.commands, f"{words}: there is no {rest[0]!r}"
        command, rest = command.commands[rest[0]], rest[1:]
    known = {option for parameter in command.params for option in parameter.opts} | {"--help"}
    given = {word.partition("=")[0] for word in rest if word.startswith("--")}
    assert given <= known, f"{words}: there is no option {sorted(given - known)}"


def commands_in(text: str, start: str) -> Iterator[list[str]]:
    """The lines that begin with the pattern `start` and then say `rationale ...`, each as its words."""
    for line in re.findall(rf"^{start}(rationale .*)$", text, re.MULTILINE):
        yield shlex.split(line.rstrip("\\"), comments=True)
