"""`rationale keys`: who may use the service, and as which tenant."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from app.commands.printing import Json, print_json, table_of
from app.commands.run import plain_errors

keys = typer.Typer(help="Create, list and revoke API keys.", no_args_is_help=True)

KeysFile = Annotated[
    Path,
    typer.Option(
        help="JSON file of the keys; no secrets but those that sign webhooks.", envvar="RATIONALE_KEYS_FILE"
    ),
]
KeyId = Annotated[str, typer.Argument(help="The middle part of the key.")]
SHOWN = {"id", "tenant", "scope", "created", "name", "webhook_hosts"}
HOSTS_HELP = "Where its webhooks may go: example.org, or example.org:8443. May be given several times."


@keys.command()
def create(
    keys_file: KeysFile,
    tenant: Annotated[str, typer.Option(help="Whose images and explanations the key opens.")],
    name: Annotated[str, typer.Option(help="What the key is for, in your words.")],
    operator: Annotated[
        bool, typer.Option("--operator", help="Let it see and retry the dead letters of all tenants too.")
    ] = False,
    webhook_host: Annotated[list[str] | None, typer.Option(help=HOSTS_HELP)] = None,
) -> None:
    """Make a key and print it; this is the only time that its secret is seen.

    With webhook hosts the second line is the secret that signs the calls.
    """
    from app.access import Scope, create_key, find_key

    with plain_errors():
        scope = Scope.OPERATOR if operator else Scope.TENANT
        hosts = webhook_host or ()
        key = create_key(keys_file, name=name, tenant=tenant, scope=scope, webhook_hosts=hosts)
        typer.echo(key)
        for secret in find_key(keys_file, key.split("_")[1]).webhook_secrets:
            typer.echo(secret.get_secret_value())


@keys.command()
def webhooks(
    key_id: KeyId,
    keys_file: KeysFile,
    host: Annotated[list[str] | None, typer.Option(help=HOSTS_HELP)] = None,
    new_secret: Annotated[bool, typer.Option("--new-secret", help="Sign with a new secret.")] = False,
) -> None:
    """Let the webhooks of a key go to these hosts and no others, and print the secret that signs the calls.

    After `--new-secret` calls carry two signatures, the second by the secret before; receivers may change
    over until the next new one.
    """
    from app.access import set_webhooks

    with plain_errors():
        changed = set_webhooks(keys_file, key_id, hosts=host or (), new=new_secret)
        typer.echo(changed.webhook_secrets[0].get_secret_value())


@keys.command("list")
def list_them(keys_file: KeysFile, *, as_json: Json = False) -> None:
    """List the keys without their secrets."""
    from app.access import list_keys

    with plain_errors():
        found = list_keys(keys_file)
    if as_json:
        print_json([key.model_dump(mode="json", include=SHOWN) for key in found])
        return
    table = table_of("id", "tenant", "scope", "created", "name", "webhook hosts")
    for key in found:
        created, hosts = f"{key.created:%Y-%m-%d %H:%M}", " ".join(key.webhook_hosts)
        table.add_row(key.id, key.tenant, key.scope, created, key.name, hosts)
    Console().print(table)


@keys.command()
def revoke(
    key_id: KeyId,
    keys_file: KeysFile,
) -> None:
    """Take a key away; running servers refuse it from their next request on."""
    from app.access import revoke_key

    with plain_errors():
        revoked = revoke_key(keys_file, key_id)
        typer.echo(f"{revoked.id} ({revoked.name}, tenant {revoked.tenant}) opens nothing any more")
