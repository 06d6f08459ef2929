"""Zip archives as image sets: where things lie in them, and what hostile ones come to."""

from __future__ import annotations

import builtins
import os
import random
import tracemalloc
import zipfile
import zlib

import pytest

from app.image_sets.sent import MAX_NAME, SentSet, SetLimits
from app.image_sets.unpacking import unpacked
from jobs.errors import TooLarge
from tests.archives import lying, zipped, zipped_of

LIMITS = SetLimits(images=3, file_bytes=4000, body_bytes=9000, pixel_bytes=4000, seconds=5)
ZEROS = bytes(40_000_000)
TWO = {"a.png": b"one", "b.png": b"twice as long"}


def wrong(sent: SentSet) -> dict[str, str]:
    return {problem.field: problem.message for problem in sent.problems}


def read(data: bytes) -> dict[str, str]:
    return wrong(unpacked(data, LIMITS))


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize("top", ["", "my set/"])
def test_folders_of_images_and_masks_with_labels_beside_them(method: int, top: str) -> None:
    files = {
        "images/": b"",
        "images/a.png": b"one",
        "images/deep/b.jpg": b"two",
        "masks/a.tif": b"three",
        "masks/deep/b.png": b"four",
        "labels.json": b'{"a.png": 3, "deep/b.jpg": "nodule"}',
        "images/.DS_Store": b"debris",
    }
    whole = {top + path: content for path, content in files.items()} | {"__MACOSX/images/._a.png": b"debris"}
    sent = unpacked(zipped(whole, method), LIMITS)
    assert wrong(sent) == {}
    assert sent.images == {"a.png": b"one", "deep/b.jpg": b"two"}
    assert sent.masks == {"a.tif": b"three", "deep/b.png": b"four"}
    assert sent.labels == {"a.png": "3", "deep/b.jpg": "nodule"}
    assert sent.field_of("masks", "a.tif") == f"archive.{top}masks/a.tif"


def test_without_a_folder_of_images_all_that_is_no_mask_is_one() -> None:
    names = ("a.png", "\N{GREEK SMALL LETTER PI}.png")
    labels = f"\N{BYTE ORDER MARK}name,label\r\na.png,nodule\r\n\r\n{names[1]},3\r\n"
    sent = unpacked(
        zipped({**dict.fromkeys(names, b"x"), "masks/a.png": b"y", "labels.csv": labels.encode()}), LIMITS
    )
    assert wrong(sent) == {}
    assert sent.images.keys() == {*names}
    assert sent.masks == {"a.png": b"y"}
    assert sent.labels == dict(zip(names, ("nodule", "3"), strict=True))


@pytest.mark.parametrize("folder", ["images/", ""])
def test_without_labels_the_folder_of_an_image_is_its_label(folder: str) -> None:
    names = ("mass/a.png", "nodule/left/b.png", "c.png")
    sent = unpacked(zipped({folder + name: b"x" for name in names}), LIMITS)
    assert wrong(sent) == {}
    assert sent.images.keys() == {*names}
    assert sent.labels == {"mass/a.png": "mass", "nodule/left/b.png": "nodule"}


def test_one_folder_of_images_is_a_label_not_the_top() -> None:
    sent = unpacked(zipped({"mass/a.png": b"x"}), LIMITS)
    assert (sent.images, sent.labels) == ({"mass/a.png": b"x"}, {"mass/a.png": "mass"})
    assert unpacked(zipped({"images/masks/a.png": b"x"}), LIMITS).images == {"masks/a.png": b"x"}


def test_names_are_utf_8_also_where_the_archive_does_not_say_so() -> None:
    data = zipped({"\N{GREEK SMALL LETTER PI}.png": b"x"})
    silent = lying(data[:6] + b"\0\0" + data[8:], 0, flags=0)  # there are flags before the file, too
    assert unpacked(silent, LIMITS).images.keys() == {"\N{GREEK SMALL LETTER PI}.png"}


def test_everything_that_is_wrong_is_named_at_once() -> None:
    bad_paths = (
        "/etc/a.png",
        "../b.png",
        "c/../d.png",
        "C:/e.png",
        "f\\g.png",
        "h//i.png",
        "./j.png",
        "k\n.png",
    )
    files = [
        *((path, b"x") for path in bad_paths),
        ("images/a.png", b"x"),
        ("images/a.png", b"y"),
        ("images/" + "x" * (MAX_NAME + 1), b"x"),
        ("images/long.png", bytes(4001)),
        ("notes.txt", b"x"),
        ("labels.json", b'{"z.png": "x", "a.png": ""}'),
        ("labels.csv", b"a.png,x"),
    ]
    with pytest.warns(UserWarning, match="Duplicate"):
        data = zipped_of(files)
    found = read(data)
    assert found.keys() == {
        *(f"archive.{path}" for path in bad_paths),
        *("archive.images/a.png", "archive.images/" + "x" * (MAX_NAME + 1), "archive.images/long.png"),
        *("archive.notes.txt", "archive.labels.csv", "labels.z.png", "labels.a.png"),
    }
    assert "twice" in found["archive.images/a.png"]
    assert "at most 4000 bytes" in found["archive.images/long.png"]
    assert "outside of images/" in found["archive.notes.txt"]
    assert all("below the top" in found[f"archive.{path}"] for path in bad_paths[:-1])


@pytest.mark.parametrize(
    ("name", "content"),
    [
        *(("labels.json", content) for content in (b"{", b"[]", b"\xff", b'{"a.png": NaN}')),
        *(
            ("labels.csv", content)
            for content in (b"a.png", b"a.png,x,y", b'"a".png,x', b"\xff,x", b"name\n")
        ),
    ],
)
def test_labels_that_cannot_be_read(name: str, content: bytes) -> None:
    assert read(zipped({"a.png": b"x", name: content})).keys() == {f"archive.{name}"}


def test_a_label_twice_and_a_line_that_is_wrong_are_named() -> None:
    assert read(zipped({"a.png": b"x", "labels.csv": b"a.png,x\na.png,y"})).keys() == {"labels.a.png"}
    assert (
        "line 2 and 1 more"
        in read(zipped({"a.png": b"x", "labels.csv": b"a.png,x\ny\nz"}))["archive.labels.csv"]
    )


def test_images_are_needed_and_counted() -> None:
    assert read(zipped({})) == read(zipped({"masks/a.png": b"x"})) == {"archive": "holds no image"}
    many = zipped({f"{folder}/{number}.png": b"x" for folder in ("images", "masks") for number in range(4)})
    sent = unpacked(many, LIMITS)
    assert wrong(sent) == {"images": "may be at most 3", "masks": "may be at most 3"}
    assert not sent.images


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"flags": 0x1}, "encrypted"),
        ({"flags": 0x40}, "encrypted"),
        ({"flags": 0x20}, "cannot be read"),
        ({"method": zipfile.ZIP_BZIP2}, "deflate it"),
        ({"method": zipfile.ZIP_LZMA}, "deflate it"),
        ({"method": 99}, "deflate it"),
        ({"crc": 1}, "CRC"),
        ({"size": 4001}, "at most 4000 bytes"),
        ({"size": 4000}, "cannot be read"),
        ({"size": 4, "crc": zlib.crc32(b"twic")}, "cannot be read"),
        ({"size": 4, "crc": zlib.crc32(b"twice")}, "not as long"),
        ({"packed": 2**31}, "overlaps"),
        ({"packed": 4}, "cannot be read"),
        ({"offset": 10}, "overlaps"),
        ({"offset": 2**31}, "cannot be read"),
    ],
)
def test_what_an_archive_says_of_a_file_is_not_believed(fields: dict[str, int], words: str) -> None:
    sent = unpacked(lying(zipped(TWO), 1, **fields), LIMITS)
    assert wrong(sent).keys() == {"archive.b.png"}
    assert words in wrong(sent)["archive.b.png"]
    assert sent.images == {"a.png": b"one"}


def test_of_files_that_lie_upon_each_other_none_is_read() -> None:
    sent = unpacked(lying(zipped(TWO), 1, offset=0), LIMITS)
    assert wrong(sent) == dict.fromkeys(
        ("archive.a.png", "archive.b.png"), "overlaps with another part of the archive"
    )
    assert not sent.images


def test_a_name_that_is_not_utf_8_is_named_as_far_as_it_can_be_read() -> None:
    said = zipped({"\N{LATIN SMALL LETTER O WITH DIAERESIS}.png": b"x"}).replace(b"\xc3\xb6", b"\xf6\xf6")
    unsaid = zipped({"oo.png": b"x"}).replace(b"oo.png", b"\xf6\xf6.png")
    name = "archive.\N{REPLACEMENT CHARACTER}\N{REPLACEMENT CHARACTER}.png"
    for data in (said, unsaid):
        found = read(data)
        assert found.keys() == {name}
        assert "UTF-8" in found[name]


@pytest.mark.parametrize("start", ["a", "\N{GREEK SMALL LETTER PI}"])
def test_a_name_does_not_end_at_a_zero_byte(start: str) -> None:
    hidden = read(zipped({f"{start}.png_x": b"x"}).replace(b".png_x", b".png\0x"))
    assert hidden == {f"archive.{start}.png\0x": "needs a name of printable characters"}


def test_a_bomb_is_not_unpacked_further_than_is_allowed() -> None:
    bomb = zipped({"a.png": ZEROS})
    small = [lying(bomb, 0, size=100, crc=zlib.crc32(bytes(length))) for length in (100, 101)]
    tracemalloc.start()
    try:
        assert all("cannot be read" in read(data)["archive.a.png"] for data in small)
        with pytest.raises(TooLarge, match="at most 9000 bytes"):
            read(bomb)
        assert tracemalloc.get_traced_memory()[1] < 3_000_000
    finally:
        tracemalloc.stop()


def test_files_together_may_be_no_larger_than_a_body() -> None:
    sizes = {"a.png": bytes(4000), "b.png": bytes(4000), "c.png": bytes(1000)}
    assert len(unpacked(zipped(sizes), LIMITS).images) == 3
    with pytest.raises(TooLarge, match="at most 9000 bytes"):
        unpacked(zipped(sizes | {"c.png": bytes(1001)}), LIMITS)


def test_a_directory_without_end_is_not_read() -> None:
    data = zipped({"a.png": b"x"})
    start, end = data.index(b"PK\x01\x02"), data.index(b"PK\x05\x06")
    entry, last = data[start:end], bytearray(data[end:])
    many = LIMITS.text_bytes // len(entry) + 1
    last[12:16] = (many * len(entry)).to_bytes(4, "little")
    with pytest.raises(TooLarge, match="too many entries"):
        unpacked(data[:start] + entry * many + last, LIMITS)


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04", b"\x89PNG\r\n\x1a\n", b"PK\x05\x06" + b"\xff" * 18])
def test_what_is_no_archive_is_said_to_be_none(data: bytes) -> None:
    assert "zip" in read(data)["archive"]


def test_an_archive_that_is_cut_or_changed_anywhere_is_answered() -> None:
    whole = zipped({**TWO, "labels.csv": b"a.png,x"})
    assert all("archive" in read(whole[:length]) for length in range(len(whole)))
    source = random.Random(3)
    answers = set()
    for _ in range(2000):
        changed = bytearray(whole)
        for _ in range(source.choice((1, 3))):
            changed[source.randrange(len(whole))] = source.choice((0, 1, 127, 128, 255))
        try:
            answers.add(len(read(bytes(changed))))
        except TooLarge:
            answers.add(-1)
    assert answers >= {-1, 0, 1, 2}


def test_nothing_is_written_to_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    def opened(*_arguments: object, **_options: object) -> None:
        raise AssertionError("a file was opened")

    data = zipped({"images/a.png": b"one", "../b.png": b"two", "labels.json": b"{}"})
    with monkeypatch.context() as patch:
        patch.setattr(builtins, "open", opened)
        patch.setattr(os, "open", opened)
        sent = unpacked(data, LIMITS)
    assert sent.images == {"a.png": b"one"}
    assert wrong(sent).keys() == {"archive.../b.png"}
