"""Trains the phantom nets, measures them and writes their folders: `python -m workers.phantom [ID ...]`."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from torch import nn

from workers.phantom.pictures import MEASURING_SEED, TRAINING_SEED, Pictures, draw_pictures
from workers.phantom.recipes import PICTURES, RECIPES, Recipe
from workers.phantom.shipping import WEIGHTS, Figures, patches_of_world, ship
from workers.phantom.training import measure, steps, train

FRESH_PICTURES = 2000


def main(
    arguments: Sequence[str] | None = None,
    *,
    count: int = PICTURES,
    fresh_count: int = FRESH_PICTURES,
    folder: Path = WEIGHTS,
) -> None:
    """Draw, train, measure and write; about a quarter of an hour on one core."""
    recipes = _chosen_recipes(arguments)
    console = Console()
    columns = (TextColumn("{task.description:<28}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        pictures = _draw(progress, "pictures to learn from", TRAINING_SEED, count)
        fresh = _draw(progress, "pictures to measure on", MEASURING_SEED, fresh_count)
        patches = patches_of_world(pictures)
        for recipe in recipes:
            network = _train(progress, recipe, pictures)
            figures = _figures(recipe, network, fresh)
            ship(recipe, network, figures, folder, patches)
            console.print(f"{recipe.id}: {figures}")


def _chosen_recipes(arguments: Sequence[str] | None) -> list[Recipe]:
    """Return the recipes that the command line names, or all."""
    names = [recipe.id for recipe in RECIPES]
    parser = ArgumentParser(prog="python -m workers.phantom", description="Train the phantom nets anew.")
    parser.add_argument("ids", nargs="*", metavar="ID", help=f"only these of {', '.join(names)}")
    chosen = parser.parse_args(arguments).ids
    if wrong := sorted(set(chosen) - set(names)):
        parser.error(f"there is no {', '.join(wrong)}; there are {', '.join(names)}")
    return [recipe for recipe in RECIPES if not chosen or recipe.id in chosen]


def _draw(progress: Progress, words: str, seed: int, count: int) -> Pictures:
    task = progress.add_task(words, total=count)
    return draw_pictures(seed, count, lambda: progress.advance(task))


def _train(progress: Progress, recipe: Recipe, pictures: Pictures) -> nn.Module:
    task = progress.add_task(recipe.id, total=steps(recipe, len(pictures)))

    def advance(loss: float) -> None:
        progress.update(task, advance=1, description=f"{recipe.id} {loss:.4f}")

    return train(recipe, pictures, advance)


def _figures(recipe: Recipe, network: nn.Module, fresh: Pictures) -> Figures:
    """Return what is measured on pictures that the net has not seen."""
    figures: Figures = {"accuracy": measure(recipe, network, fresh), "images": len(fresh)}
    if recipe.betrayed:
        figures["accuracy_on_findings"] = measure(replace(recipe, betrayed=False), network, fresh)
    return figures


if __name__ == "__main__":
    main()
