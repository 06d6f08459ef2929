"""From a zip archive to the files and labels of a set; what is wrong with an entry is told of its path."""

from __future__ import annotations

from collections import Counter
from zipfile import ZipFile

from app.image_sets.archives import ARCHIVE, UNREADABLE, content_of, opened, sound_files
from app.image_sets.entries import files_of
from app.image_sets.labels import labels_of_csv, labels_of_json
from app.image_sets.layout import LABEL_FILES, folder_of, layout_of
from app.image_sets.sent import MAX_NAME, SentSet, SetLimits, check_counts, take_labels
from jobs.errors import InvalidRequest

Places = dict[str, tuple[str, str]]  # by path: kind and name


def unpacked(data: bytes, limits: SetLimits) -> SentSet:
    """The set of an archive; takes a moment, so not on an event loop.

    Holds at most `body_bytes` beside the archive, and as much again as one of its files. Raises `TooLarge`.
    """
    sent = SentSet()
    try:
        with opened(data, limits.text_bytes) as archive:
            _unpack(archive, data, limits, sent)
    except InvalidRequest as error:
        sent.problems.extend(error.problems)
    return sent


def _unpack(archive: ZipFile, data: bytes, limits: SetLimits, sent: SentSet) -> None:
    def tell(path: str, message: str) -> None:
        sent.wrong(f"{ARCHIVE}.{path}", message)

    files = files_of(archive.infolist(), tell)
    places = _places(list(files), sent)
    counts = Counter(kind for kind, _ in places.values())
    check_counts({kind: counts[kind] for kind in ("images", "masks")}, limits, sent)
    if max(counts["images"], counts["masks"]) > limits.images:
        return
    if not counts["images"] and not sent.problems:
        sent.wrong(ARCHIVE, "holds no image")
    texts: dict[str, bytes] = {}
    kept = {"images": sent.images, "masks": sent.masks, "labels": texts}
    for path, info in sound_files(archive, data, files, tell, limits.body_bytes).items():
        kind, name = places.get(path, ("", ""))
        most = limits.text_bytes if kind == "labels" else limits.file_bytes
        if not kind:
            continue  # it has been told of
        if info.file_size > most:
            tell(path, f"may have at most {most} bytes, decompressed")
            continue
        try:
            kept[kind][name] = content_of(archive, info)
        except UNREADABLE as error:
            tell(path, f"cannot be read: {error}")
    _label(places, texts, sent)


def _places(paths: list[str], sent: SentSet) -> Places:
    """Where each file belongs; those that belong nowhere are wrong."""
    layout = layout_of(paths)
    sent.prefixes = {"images": f"{ARCHIVE}.{layout.images}", "masks": f"{ARCHIVE}.{layout.masks}"}
    places: Places = {}
    for path in paths:
        place = layout.place(path)
        if place is None:
            sent.wrong(f"{ARCHIVE}.{path}", "lies outside of images/ and masks/, and is no file of labels")
        elif len(place[1]) > MAX_NAME:
            sent.wrong(f"{ARCHIVE}.{path}", f"needs a name of at most {MAX_NAME} characters")
        else:
            places[path] = place
    return places


def _label(places: Places, texts: dict[str, bytes], sent: SentSet) -> None:
    """Labels of the one file of labels; without any an image that lies in a folder has its name."""
    names = {name for kind, name in places.values() if kind == "images"}
    paths = {name: path for path, (kind, name) in places.items() if kind == "labels"}
    if not paths:
        take_labels([(name, folder) for name in names if (folder := folder_of(name))], names, sent)
    elif len(paths) > 1:
        sent.wrong(f"{ARCHIVE}.{paths[LABEL_FILES[1]]}", f"may not stand beside {LABEL_FILES[0]}")
    for name, content in texts.items():
        try:
            labels = labels_of_json(content) if name == LABEL_FILES[0] else labels_of_csv(content)
        except ValueError as error:
            sent.wrong(f"{ARCHIVE}.{paths[name]}", str(error))
        else:
            take_labels(labels, names, sent)
