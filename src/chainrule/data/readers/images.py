"""Folders of images as tables: a subfolder for each class, with PNG or JPEG files in it."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from chainrule.errors import ChainruleError
from chainrule.table import Table, shortened

IMAGES = (".png", ".jpg", ".jpeg")
GREY, COLOUR = ("1", "L", "LA"), ("P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr", "LAB", "HSV")  # Pillow's modes


def read_images(folder: Path) -> Table:
    """The images of a folder, uint8 of shape (rows, height, width, channels), and the names of their subfolders.

    Grey images have one channel, those in colour three (red, green, blue); transparency is left out. Files that are no
    PNG or JPEG by their names, and names that begin with a point, are passed over.

    Raises:
        ChainruleError: naming the first file that is broken, or of another size or colour than the first.
    """
    files = list(_files(folder))
    first = _pixels(files[0], folder)
    images = np.empty((len(files), *first.shape), np.uint8)
    for row, file in enumerate(files):
        pixels = _pixels(file, folder)
        if pixels.shape != first.shape:
            raise _odd(folder, file, pixels.shape, files[0], first.shape)
        images[row] = pixels
    names = np.array([file.relative_to(folder).as_posix() for file in files], dtype=object)
    return Table({"image": images, "target": [file.parent.name for file in files]}, folder.name, names, "file")


def _files(folder: Path) -> Iterator[Path]:
    """The images, class by class, each by name."""
    classes = [entry for entry in _visible(folder) if entry.is_dir()]
    if not classes:
        raise ChainruleError(
            f"{str(folder)!r} is a folder without subfolders. Give a file, or a folder of images with a subfolder for "
            f"each class."
        )
    for each in classes:
        files = [file for file in _visible(each) if file.suffix.lower() in IMAGES]
        if not files:
            raise ChainruleError(
                f"{folder.name}/{each.name}: there is no image ({', '.join(IMAGES)}) in this folder. Give a folder "
                f"with a subfolder of images for each class; here the classes would be "
                f"{shortened(entry.name for entry in classes)}."
            )
        yield from files


def _visible(folder: Path) -> list[Path]:
    return sorted(entry for entry in folder.iterdir() if not entry.name.startswith("."))


def _pixels(file: Path, folder: Path) -> np.ndarray:
    """An image upright, uint8 of shape (height, width, 1 or 3)."""
    from PIL import Image, ImageOps

    place = f"{folder.name}/{file.relative_to(folder).as_posix()}"
    try:
        with Image.open(file, formats=("PNG", "JPEG")) as stored:
            image = ImageOps.exif_transpose(stored)
    except PermissionError:
        raise ChainruleError(f"{place}: can't be read by this user. Give yourself the right to read it.") from None
    except Exception:  # Pillow raises errors of many kinds on damaged files
        raise ChainruleError(f"{place}: is no whole PNG or JPEG image. Save it again, or remove it.") from None
    if image.mode not in (*GREY, *COLOUR):
        raise ChainruleError(f"{place}: has more than 8 bits a channel ({image.mode}). Save it with 8 bits.")
    pixels = image.convert("L" if image.mode in GREY else "RGB")
    return np.asarray(pixels).reshape(image.height, image.width, -1)


def _odd(folder: Path, file: Path, shape: tuple, first: Path, usual: tuple) -> ChainruleError:
    place, other = (f"{folder.name}/{each.relative_to(folder).as_posix()}" for each in (file, first))
    if shape[:2] != usual[:2]:
        return ChainruleError(
            f"{place}: is {shape[1]} × {shape[0]} pixels (width × height), but {other} is {usual[1]} × {usual[0]}. "
            f"Resize all images to one size."
        )
    kind = {1: "grey", 3: "in colour"}
    return ChainruleError(
        f"{place}: is {kind[shape[2]]}, but {other} is {kind[usual[2]]}. Save all images grey, or all in colour."
    )
