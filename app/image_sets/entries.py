"""What the entries of a zip archive are called, and which of them are files of a set."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import PureWindowsPath
from zipfile import ZipInfo

UTF_8 = 0x800  # flag: the name has been read as what it says to be
OLD = "cp437"  # how all other names have been read
DEBRIS_FOLDER, DEBRIS_FILE = "__MACOSX", ".DS_Store"

Tell = Callable[[str, str], None]  # notes of the path of an entry what is wrong with it


def files_of(infos: Iterable[ZipInfo], tell: Tell) -> dict[str, ZipInfo]:
    """The files by their paths, without folders and what macOS leaves behind; of wrong paths is told.

    Nothing is written under a path, but others who unpack the same archive would do so.
    """
    files: dict[str, ZipInfo] = {}
    for info in infos:
        path, wrong = _path(info)
        steps = path.removesuffix("/").split("/")
        if steps[0] == DEBRIS_FOLDER or steps[-1] == DEBRIS_FILE:
            continue
        wrong = wrong or _wrong(path, steps)
        if wrong:
            tell(path, wrong)
        elif path in files:
            tell(path, "is given twice; each path stands for one file")
        elif not path.endswith("/"):
            files[path] = info
    return files


def _path(info: ZipInfo) -> tuple[str, str]:
    """The whole path, also what follows a zero byte, in UTF-8 whether it says so or not; and what is wrong.

    macOS says so of none.
    """
    if info.flag_bits & UTF_8:
        return info.orig_filename, ""
    raw = info.orig_filename.encode(OLD)
    try:
        return raw.decode(), ""
    except UnicodeDecodeError:
        return raw.decode(errors="replace"), "needs a name in UTF-8"


def _wrong(path: str, steps: list[str]) -> str:
    if not path.isprintable():
        return "needs a name of printable characters"
    if "\\" in path or PureWindowsPath(path).anchor or {"", ".", ".."} & {*steps}:
        return "must be a path below the top of the archive, with / between its folders"
    return ""
