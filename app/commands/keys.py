"""`rationale keys`: who may use the service, and as which tenant."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from app.commands.run import plain_errors

keys = typer.Typer(help="Create, list and revoke API keys.", no_args_is_help=True)

KeysFile = Annotated[
    Path, typer.Option(help="JSON file of the keys; it holds no secrets.", envvar="RATIONALE_KEYS_FILE")
]


@keys.command()
def create(
    keys_file: KeysFile,
    tenant: Annotated[str, typer.Option(help="Whose images and explanations the key opens.")],
    name: Annotated[str, typer.Option(help="What the key is for, in your words.")],
    operator: Annotated[
        bool, typer.Option("--operator", help="Let it see and retry the dead letters of all tenants too.")
    ] = False,
) -> None:
    """Make a key and print it; this is the only time that its secret is seen."""
    from app.access import Scope, create_key

    with plain_errors():
        scope = Scope.OPERATOR if operator else Scope.TENANT
        typer.echo(create_key(keys_file, name=name, tenant=tenant, scope=scope))


@keys.command("list")
def list_them(keys_file: KeysFile) -> None:
    """List the keys without their secrets."""
    from app.access import list_keys

    table = Table()
    for heading in ("id", "tenant", "scope", "created", "name"):
        table.add_column(heading)
    with plain_errors():
        for key in list_keys(keys_file):
            table.add_row(key.id, key.tenant, key.scope, f"{key.created:%Y-%m-%d %H:%M}", key.name)
    Console().print(table)


@keys.command()
def revoke(
    key_id: Annotated[str, typer.Argument(help="The middle part of the key.")], keys_file: KeysFile
) -> None:
    """Take a key away; running servers refuse it from their next request on."""
    from app.access import revoke_key

    with plain_errors():
        revoked = revoke_key(keys_file, key_id)
        typer.echo(f"{revoked.id} ({revoked.name}, tenant {revoked.tenant}) opens nothing any more")
