"""The command line: run the service or parts of it, and use one that runs."""

from __future__ import annotations

import typer

from app.commands import dead_letters, doctor, evaluate, explain, jobs, keys, menu, models, run

app = typer.Typer(
    name="rationale",
    help="Why did this vision model say that about this image?",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.command()(run.serve)
app.command()(run.api)
app.command()(run.worker)
app.command()(explain.explain)
app.command()(evaluate.evaluate)
app.command()(menu.methods)
app.command()(menu.metrics)
app.add_typer(models.models, name="models")
app.command()(doctor.doctor)
app.add_typer(keys.keys, name="keys")
app.add_typer(jobs.jobs, name="jobs")
app.add_typer(dead_letters.dead_letters, name="dead-letters")


def main() -> None:
    """Entry point of `rationale`."""
    app()


if __name__ == "__main__":
    main()
