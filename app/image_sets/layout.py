"""Where the files of a set lie in an archive."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

FOLDERS = {"images": "images/", "masks": "masks/"}
LABEL_FILES = ("labels.json", "labels.csv")


@dataclass(frozen=True)
class Layout:
    """The folders of images and of masks, each with a slash at its end; the top of an archive is ""."""

    top: str
    images: str
    masks: str

    def place(self, path: str) -> tuple[str, str] | None:
        """Of which kind a file is (`images`, `masks`, `labels`) and its name; None where nothing belongs."""
        own = path.removeprefix(self.top)
        if own in LABEL_FILES:
            return "labels", own
        for kind, folder in (("masks", self.masks), ("images", self.images)):
            if path.startswith(folder):
                return kind, path.removeprefix(folder)
        return None


def layout_of(paths: Collection[str]) -> Layout:
    """With a folder `images/` the images are there, else all that is no mask and no file of labels is one.

    The top may be a single folder, when one of these lies in it.
    """
    top = _top(paths)
    images = top + FOLDERS["images"]
    has_folder = any(path.startswith(images) for path in paths)
    return Layout(top, images if has_folder else top, top + FOLDERS["masks"])


def folder_of(name: str) -> str | None:
    """The first folder of a name, which labels the image where nothing else does."""
    folder, slash, _ = name.partition("/")
    return folder if slash else None


def _top(paths: Collection[str]) -> str:
    firsts = {path.partition("/")[0] for path in paths}
    if len(firsts) != 1:
        return ""
    top = f"{firsts.pop()}/"
    within = [path.removeprefix(top) for path in paths]
    is_top = any(path in LABEL_FILES or path.startswith(tuple(FOLDERS.values())) for path in within)
    return top if is_top and top not in FOLDERS.values() else ""
