"""Folders of images as tables: a subfolder for each class, with image files in it."""

import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from operator import attrgetter
from pathlib import Path, PurePath
from typing import Any

import numpy as np

from chainrule.arrays.memory import check_memory
from chainrule.data.readers.packed import IMAGES, Place, visible
from chainrule.data.reading import Reading
from chainrule.data.table import Found, Table, shortened
from chainrule.errors import ChainruleError, counted

FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "TIFF")
KINDS = "PNG, JPEG, WebP, BMP or TIFF"
IMAGE_NUMBERS = 1 << 24  # of a block
GREY, COLOUR = ("1", "L", "LA"), ("P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr", "LAB", "HSV")  # Pillow's modes


def read_images(place: Place, reading: Reading) -> Table:
    """The images of a folder, uint8 of shape (rows, height, width, channels), and the names of their subfolders.

    Grey images have one channel, those in colour three (red, green, blue), as all have if some do; transparency is left
    out. Files that are no images by their names are passed over and counted; names that begin with a point are passed
    over. Where images are read `alone`, those of a folder without subfolders, and a single file, are rows without a
    target.

    Raises:
        ChainruleError: naming the first file that is broken, or of another size than the first.
    """
    classes, others = _files(place, reading.alone)
    files = [file for found in classes.values() for file in found]
    root: Any = place if place.is_dir() else place.parent  # type: ignore[attr-defined]
    if reading.size:
        _check_memory(place, len(files), *reading.size, 1)
    first, _, _ = _pixels(files[0], root, reading)
    height, width, channels = first.shape
    _check_memory(place, len(files), width, height, channels)
    images, resized, coloured = np.empty((len(files), *first.shape), np.uint8), 0, 0
    for row, file in enumerate(files):
        pixels, other, colour = _pixels(file, root, reading)
        if pixels.shape[:2] != first.shape[:2]:
            raise _odd(root, file, pixels.shape, files[0], first.shape)
        if pixels.shape[2] > channels:  # the first in colour, behind grey ones
            channels = pixels.shape[2]
            _check_memory(place, len(files), width, height, channels)
            images = np.repeat(images, channels, axis=-1)
        images[row], resized, coloured = pixels, resized + other, coloured + colour
    notes = {}
    if others:
        entries = counted(len(others), "entry is no image by its name", "entries are no images by their names")
        passed = f"{place.name}: {entries} and passed over: "
        notes["skipped"] = f"{passed}{shortened(others, 3)}."
    of_all = counted(len(files), "image is", "images are")
    if resized:
        notes["resized"] = f"{place.name}: {resized:,} of {of_all} resized to {width:,} × {height:,} pixels."
    if channels == 1 and coloured:
        notes["colour"] = f"{place.name}: {coloured:,} of {of_all} in colour and read as grey."
    if channels == 3 and coloured < len(files):
        notes["colour"] = f"{place.name}: {len(files) - coloured:,} of {of_all} grey and read as in colour."
    names = np.array([_inside(root, file) for file in files], dtype=object)
    columns: dict[str, Any] = {"image": images}
    if None not in classes:
        columns["target"] = [name for name, found in classes.items() for _ in found]
    found = Found({"size": f"{width}x{height}", "colour": channels == 3}, notes)
    return Table(columns, place.name, names, "file", found=found)


def image_blocks(place: Path, reading: Reading, shown: Callable[[int, int], None] = lambda *_: None) -> Iterator[Table]:
    """The images of a folder, of any number, as tables one after another; `shown` is told how many of all are read.

    Raises:
        ChainruleError: as `read_images`.
    """
    classes, _ = _files(place, alone=False)
    files = [(file, name) for name, found in classes.items() for file in found]
    if reading.colour is None:
        reading = replace(reading, colour=any(_is_colour(file) for file, _ in files))
    first, _, _ = _pixels(files[0][0], place, reading)
    step = max(IMAGE_NUMBERS // first.size, 1)
    for start in range(0, len(files), step):
        block = files[start : start + step]
        images = np.empty((len(block), *first.shape), np.uint8)
        for row, (file, _) in enumerate(block):
            pixels, _, _ = _pixels(file, place, reading)
            if pixels.shape != first.shape:
                raise _odd(place, file, pixels.shape, files[0][0], first.shape)
            images[row] = pixels
        names = np.array([_inside(place, file) for file, _ in block], dtype=object)
        size = f"{first.shape[1]}x{first.shape[0]}"
        found = Found({"size": size, "colour": first.shape[2] == 3})
        targets = np.array([name for _, name in block], dtype=object)
        shown(start + len(block), len(files))
        yield Table({"image": images, "target": targets}, place.name, names, "file", found=found)


def image_files(place: Place) -> list[Path]:
    """All images of a folder of classes, in the order in which they are read."""
    return [file for found in _files(place, alone=False)[0].values() for file in found]


def _is_colour(file: Path) -> bool:
    """Whether an image is in colour, by its beginning; one that is broken is said where it is read."""
    from PIL import Image

    try:
        with warnings.catch_warnings(action="ignore"), Image.open(file, formats=FORMATS) as stored:
            return stored.mode in COLOUR
    except Exception:  # Pillow raises errors of many kinds on damaged files
        return False


def _check_memory(place: Place, images: int, width: int, height: int, channels: int) -> None:
    what = f"{place.name}: {images:,} images of {width:,} × {height:,} pixels"
    check_memory(images * width * height * channels, what, "Give a smaller size.")


def _files(place: Place, alone: bool) -> tuple[dict[str | None, list[Any]], list[str]]:
    """The images by their class, which is None where they are alone, each by name; and what else lies there."""
    if not place.is_dir():
        return {None: [place]}, []
    folders = [entry for entry in _visible(place) if entry.is_dir()]
    if not folders and alone:
        found = _visible(place)
        images = [file for file in found if is_image(file)]
        if not images:
            raise ChainruleError(f"{place.name}: there is no image ({', '.join(IMAGES)}) in this folder.")
        return {None: images}, [file.name for file in found if not is_image(file)]
    if not folders:
        raise ChainruleError(
            f"{str(place)!r} is a folder without subfolders. Give a file, or a folder of images with a subfolder for "
            f"each class."
        )
    classes: dict[str | None, list[Any]] = {}
    others = [entry.name for entry in _visible(place) if not entry.is_dir()]
    for folder in folders:
        found = _visible(folder)
        classes[folder.name] = [file for file in found if is_image(file)]
        if not classes[folder.name]:
            raise ChainruleError(
                f"{place.name}/{folder.name}: there is no image ({', '.join(IMAGES)}) in this folder. Give a folder "
                f"with a subfolder of images for each class; here the classes would be "
                f"{shortened(entry.name for entry in folders)}."
            )
        others += [f"{folder.name}/{file.name}" for file in found if not is_image(file)]
    return classes, others


def is_image(file: Place) -> bool:
    """Whether a file is an image by its name."""
    return file.suffix.lower() in IMAGES


def _visible(folder: Place) -> list[Place]:
    try:
        return sorted(visible(folder), key=attrgetter("name"))
    except OSError as error:
        raise ChainruleError(f"{folder.name}: can't be read: {error.strerror or error}.") from None


def _pixels(file: Place, folder: Place, reading: Reading) -> tuple[np.ndarray, bool, bool]:
    """An image upright, uint8 of shape (height, width, 1 or 3); whether it had to be resized, and is in colour."""
    from PIL import Image, ImageOps

    place = _place(folder, file)
    if not file.is_file():  # a pipe would never end
        raise ChainruleError(f"{place}: is no file but a folder, a pipe, or a link to what is not there. Remove it.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of odd metadata, which is not read
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with file.open("rb") as content, Image.open(content, formats=FORMATS) as stored:
                if getattr(stored, "n_frames", 1) > 1:
                    raise ChainruleError(f"{place}: holds several images. Save each in a file of its own.")
                with _quiet() if stored.format == "TIFF" else nullcontext():
                    image = ImageOps.exif_transpose(stored)
                if image.mode in (*GREY, *COLOUR):
                    colour = image.mode in COLOUR
                    image = image.convert("RGB" if (colour if reading.colour is None else reading.colour) else "L")
                    wanted = reading.size or image.size
                    pixels = np.asarray(
                        image if image.size == wanted else image.resize(wanted, Image.Resampling.BILINEAR)
                    )
                    return pixels.reshape(wanted[1], wanted[0], -1), image.size != wanted, colour
    except ChainruleError:
        raise
    except PermissionError:
        raise ChainruleError(f"{place}: can't be read by this user. Give yourself the right to read it.") from None
    except (Image.DecompressionBombWarning, Image.DecompressionBombError):
        most = Image.MAX_IMAGE_PIXELS or 0
        raise ChainruleError(f"{place}: is of more than {most:,} pixels. Resize all images to one size.") from None
    except Exception:  # Pillow raises errors of many kinds on damaged files
        raise ChainruleError(f"{place}: is no whole {KINDS} image. Save it again, or remove it.") from None
    raise ChainruleError(f"{place}: has more than 8 bits a channel ({image.mode}). Save it with 8 bits.")


@contextmanager
def _quiet() -> Iterator[None]:
    """Without what libtiff, by itself, says of damaged files on standard error."""
    try:
        before = os.dup(2)
    except OSError:  # there is none
        yield
        return
    try:
        with open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        os.dup2(before, 2)
        os.close(before)


def _place(folder: Place, file: Place) -> str:
    """Where a file is, for a message; the working folder has no name."""
    return PurePath(folder.name, _inside(folder, file)).as_posix()


def _inside(folder: Place, file: Place) -> str:
    """A file's path within a folder."""
    return PurePath(str(file)).relative_to(str(folder)).as_posix()


def _odd(folder: Place, file: Place, shape: tuple, first: Place, usual: tuple) -> ChainruleError:
    place, other = (_place(folder, each) for each in (file, first))
    return ChainruleError(
        f"{place}: is {shape[1]} × {shape[0]} pixels (width × height), but {other} is {usual[1]} × {usual[0]}. "
        f"Resize all images to one size",
        size=f"{usual[1]}x{usual[0]}",
    )
