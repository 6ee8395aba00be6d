"""Folders of images as tables: a subfolder for each class, with image files in it."""

import warnings
from pathlib import Path

import numpy as np

from chainrule.errors import ChainruleError
from chainrule.memory import check_memory
from chainrule.table import Found, Table, shortened

IMAGES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff")
FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "TIFF")
KINDS = "PNG, JPEG, WebP, BMP or TIFF"
GREY, COLOUR = ("1", "L", "LA"), ("P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr", "LAB", "HSV")  # Pillow's modes


def read_images(folder: Path) -> Table:
    """The images of a folder, uint8 of shape (rows, height, width, channels), and the names of their subfolders.

    Grey images have one channel, those in colour three (red, green, blue); transparency is left out. Files that are no
    images by their names are passed over and counted; names that begin with a point are passed over.

    Raises:
        ChainruleError: naming the first file that is broken, or of another size or colour than the first.
    """
    files, others = _files(folder)
    first = _pixels(files[0], folder)
    size = f"{first.shape[1]:,} × {first.shape[0]:,} pixels"
    check_memory(len(files) * first.size, f"{folder.name}: {len(files):,} images of {size}", "Resize them.")
    images = np.empty((len(files), *first.shape), np.uint8)
    for row, file in enumerate(files):
        pixels = _pixels(file, folder)
        if pixels.shape != first.shape:
            raise _odd(folder, file, pixels.shape, files[0], first.shape)
        images[row] = pixels
    names = np.array([file.relative_to(folder).as_posix() for file in files], dtype=object)
    passed = f"{folder.name}: {len(others):,} entries are no images by their names and passed over: "
    notes = {"skipped": f"{passed}{shortened(others, 3)}."} if others else {}
    columns = {"image": images, "target": [file.parent.name for file in files]}
    return Table(columns, folder.name, names, "file", found=Found(notes=notes))


def _files(folder: Path) -> tuple[list[Path], list[str]]:
    """The images, class by class, each by name; and what else lies there."""
    classes = [entry for entry in _visible(folder) if entry.is_dir()]
    if not classes:
        raise ChainruleError(
            f"{str(folder)!r} is a folder without subfolders. Give a file, or a folder of images with a subfolder for "
            f"each class."
        )
    images, others = [], [entry.name for entry in _visible(folder) if not entry.is_dir()]
    for each in classes:
        found = {file: file.suffix.lower() in IMAGES for file in _visible(each)}
        if not any(found.values()):
            raise ChainruleError(
                f"{folder.name}/{each.name}: there is no image ({', '.join(IMAGES)}) in this folder. Give a folder "
                f"with a subfolder of images for each class; here the classes would be "
                f"{shortened(entry.name for entry in classes)}."
            )
        images += [file for file, image in found.items() if image]
        others += [f"{each.name}/{file.name}" for file, image in found.items() if not image]
    return images, others


def _visible(folder: Path) -> list[Path]:
    try:
        return sorted(entry for entry in folder.iterdir() if not entry.name.startswith("."))
    except OSError as error:
        raise ChainruleError(f"{folder.name}: can't be read: {error.strerror or error}.") from None


def _pixels(file: Path, folder: Path) -> np.ndarray:
    """An image upright, uint8 of shape (height, width, 1 or 3)."""
    from PIL import Image, ImageOps

    place = f"{folder.name}/{file.relative_to(folder).as_posix()}"
    if not file.is_file():  # a pipe would never end
        raise ChainruleError(f"{place}: is no file but a folder, a pipe, or a link to what is not there. Remove it.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of odd metadata, which is not read
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(file, formats=FORMATS) as stored:
                if getattr(stored, "n_frames", 1) > 1:
                    raise ChainruleError(f"{place}: holds several images. Save each in a file of its own.")
                image = ImageOps.exif_transpose(stored)
                if image.mode in (*GREY, *COLOUR):
                    pixels = np.asarray(image.convert("L" if image.mode in GREY else "RGB"))
                    return pixels.reshape(image.height, image.width, -1)
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
