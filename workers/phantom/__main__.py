"""Trains the phantom nets, measures them and writes their folders: `python -m workers.phantom [ID ...]`."""

from __future__ import annotations

from argparse import ArgumentParser
from dataclasses import replace

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from workers.phantom.pictures import MEASURING_SEED, TRAINING_SEED, Pictures, draw_pictures
from workers.phantom.recipes import PICTURES, RECIPES, Recipe
from workers.phantom.shipping import Figures, ship
from workers.phantom.training import measure, steps, train

FRESH_PICTURES = 2000


def main() -> None:
    """Draw, train, measure and write; about a quarter of an hour on one core."""
    recipes = _chosen_recipes()
    console = Console()
    columns = (TextColumn("{task.description:<28}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        pictures = _draw(progress, "pictures to learn from", TRAINING_SEED, PICTURES)
        fresh = _draw(progress, "pictures to measure on", MEASURING_SEED, FRESH_PICTURES)
        for recipe in recipes:
            figures = _make(progress, recipe, pictures, fresh)
            console.print(f"{recipe.id}: {figures}")


def _chosen_recipes() -> list[Recipe]:
    """Return the recipes that the command line names, or all."""
    names = [recipe.id for recipe in RECIPES]
    parser = ArgumentParser(prog="python -m workers.phantom", description="Train the phantom nets anew.")
    parser.add_argument("ids", nargs="*", metavar="ID", help=f"only these of {', '.join(names)}")
    chosen = parser.parse_args().ids
    if wrong := sorted(set(chosen) - set(names)):
        parser.error(f"there is no {', '.join(wrong)}; there are {', '.join(names)}")
    return [recipe for recipe in RECIPES if not chosen or recipe.id in chosen]


def _draw(progress: Progress, words: str, seed: int, count: int) -> Pictures:
    task = progress.add_task(words, total=count)
    return draw_pictures(seed, count, lambda: progress.advance(task))


def _make(progress: Progress, recipe: Recipe, pictures: Pictures, fresh: Pictures) -> Figures:
    """Train one net, measure it and write its folder; return the figures."""
    task = progress.add_task(recipe.id, total=steps(recipe, len(pictures)))

    def advance(loss: float) -> None:
        progress.update(task, advance=1, description=f"{recipe.id} {loss:.4f}")

    network = train(recipe, pictures, advance)
    figures: Figures = {"accuracy": measure(recipe, network, fresh), "images": len(fresh)}
    if recipe.betrayed:
        figures["accuracy_on_findings"] = measure(replace(recipe, betrayed=False), network, fresh)
    ship(recipe, network, figures)
    return figures


if __name__ == "__main__":
    main()
