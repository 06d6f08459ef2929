"""What becomes of an image set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from jobs.keys import Keys
from jobs.lua import Call, load
from jobs.moves.places import users
from jobs.pictures import ImageSet
from jobs.users import set_user


def keep_set(keys: Keys, image_set: ImageSet) -> Call:
    """Accept a set whose pixels are stored."""
    words = (set_user(image_set.id), image_set.tenant, image_set.model_dump_json(), keys.lifetimes.result)
    return Call(load("keep_set"), _places(keys, image_set), words)


def renew_set(keys: Keys, image_set: ImageSet) -> Call:
    """Lengthen the life of a set and its images."""
    return Call(load("renew_set"), _places(keys, image_set), (image_set.tenant, keys.lifetimes.result))


def leave_set(keys: Keys, set_id: str, posts: bytes, mates: Mapping[str, Sequence[str]]) -> Call:
    """Let go of images of a set that was posted so often; `mates` are the other users of each."""
    touched, words = users(keys, mates)
    return Call(load("leave_set"), (keys.image_set(set_id), *touched), (set_user(set_id), posts, *words))


def drop_set(keys: Keys, set_id: str, posts: bytes) -> Call:
    """Forget a set that was posted so often."""
    return Call(load("drop_set"), (keys.image_set(set_id),), (posts,))


def _places(keys: Keys, image_set: ImageSet) -> tuple[str, ...]:
    """The set, and two keys of each of its images."""
    images = (key for name in image_set.images for key in (keys.image(name), keys.image_users(name)))
    return (keys.image_set(image_set.id), *images)
