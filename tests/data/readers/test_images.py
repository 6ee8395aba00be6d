import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from chainrule.data import read
from chainrule.data.preprocessing import Preprocessor
from chainrule.errors import ChainruleError, cut

GREY = np.arange(48, dtype=np.uint8).reshape(6, 8)
COLOUR = np.arange(144, dtype=np.uint8).reshape(6, 8, 3)


def save(folder: Path, name: str, pixels: np.ndarray = GREY, mode: str | None = None, **options) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(pixels)
    (image.convert(mode) if mode else image).save(path, **options)
    return path


def refusal(source, **options) -> str:
    with pytest.raises(ChainruleError) as caught:
        read(source, **options)
    return str(caught.value)


@pytest.fixture
def folder(tmp_path):
    """Two classes of two grey images, and files that are none."""
    place = tmp_path / "shapes"
    for name in ("square/b.png", "square/a.PNG", "circle/2.png", "circle/1.png"):
        save(place, name)
    (place / "notes.txt").write_text("hello")
    (place / "circle" / "notes.txt").write_text("hello")
    (place / ".hidden").mkdir()
    return place


def test_a_subfolder_is_a_class(folder):
    table = read(folder)
    assert (list(table), table.name, table["image"].dtype) == (["image", "target"], "shapes", np.uint8)
    np.testing.assert_array_equal(table["image"], np.broadcast_to(GREY[..., None], (4, 6, 8, 1)))
    assert list(table["target"]) == ["circle", "circle", "square", "square"]
    assert [table.place(row, "image") for row in (0, 2)] == [
        "shapes, file circle/1.png, column 'image'",
        "shapes, file square/a.PNG, column 'image'",
    ]


def test_images_are_prepared(folder):
    preprocessor = Preprocessor.fit(read(folder))
    assert (preprocessor.kind, preprocessor.input_shape, preprocessor.classes) == (
        "images",
        (6, 8, 1),
        ("circle", "square"),
    )
    np.testing.assert_allclose(preprocessor.inputs(read(folder)).std(), 1, rtol=1e-6)
    np.testing.assert_array_equal(preprocessor.inputs(GREY[None]), preprocessor.inputs(read(folder))[:1])


@pytest.mark.parametrize("mode", ["1", "L", "LA"])
def test_grey_stays_grey(tmp_path, mode):
    save(tmp_path / "a", "x/1.png", GREY * 5, mode)
    assert read(tmp_path / "a")["image"].shape == (1, 6, 8, 1)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P"])
def test_colour_has_three_channels(tmp_path, mode):
    save(tmp_path / "a", "x/1.png", COLOUR, mode)
    image = read(tmp_path / "a")["image"]
    assert image.shape == (1, 6, 8, 3)
    if mode != "P":
        np.testing.assert_array_equal(image[0], COLOUR)


def test_jpeg(tmp_path):
    flat = np.full((16, 8, 3), [200, 100, 50], np.uint8)
    save(tmp_path / "a", "x/1.jpg", flat, quality=95)
    save(tmp_path / "a", "x/2.JPEG", flat, quality=95, exif=_turned())
    assert refusal(tmp_path / "a") == (
        "a/x/2.JPEG: is 16 × 8 pixels (width × height), but a/x/1.jpg is 8 × 16. "
        "Resize all images to one size, or choose size='8x16'."
    )
    (tmp_path / "a" / "x" / "2.JPEG").unlink()
    np.testing.assert_allclose(read(tmp_path / "a")["image"][0], flat, atol=3)


def _turned() -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = 6  # to be shown turned by a quarter
    return exif


def test_sizes_must_agree(folder):
    save(folder, "square/c.png", GREY[:, :7])
    assert refusal(folder) == (
        "shapes/square/c.png: is 7 × 6 pixels (width × height), but shapes/circle/1.png is 8 × 6. "
        "Resize all images to one size, or choose size='8x6'."
    )


def test_grey_images_among_those_in_colour_are_read_as_in_colour(folder):
    save(folder, "circle/3.png", COLOUR)
    table = read(folder)
    assert table["image"].shape == (5, 6, 8, 3)
    np.testing.assert_array_equal(table["image"][2], COLOUR)
    for row in (0, 1, 3, 4):
        np.testing.assert_array_equal(table["image"][row], np.repeat(GREY[..., None], 3, axis=-1))
    assert table.found.notes["colour"] == "shapes: 4 of 5 images are grey and read as in colour."
    assert table.found.reading == {"size": "8x6", "colour": True}


def test_later_images_are_read_in_the_colours_of_training(folder, tmp_path, monkeypatch):
    like = read(folder).found.reading
    photo = save(tmp_path, "photo.png", COLOUR)
    table = read(photo, like=like)
    np.testing.assert_array_equal(table["image"][0, :, :, 0], np.asarray(Image.fromarray(COLOUR).convert("L")))
    assert table.found.notes == {"colour": "photo.png: 1 of 1 image is in colour and read as grey."}
    grey = read(save(tmp_path, "grey.png"), like=like | {"colour": True})
    np.testing.assert_array_equal(grey["image"][0], np.repeat(GREY[..., None], 3, axis=-1))
    assert grey.found.notes == {"colour": "grey.png: 1 of 1 image is grey and read as in colour."}
    monkeypatch.chdir(tmp_path)
    save(tmp_path, "deep.png", GREY.astype(np.uint16))
    assert refusal("deep.png", like=like) == "deep.png: has more than 8 bits a channel (I;16). Save it with 8 bits."
    (tmp_path / "notes.doc").write_bytes(b"\0")
    assert refusal("notes.doc", like=like).endswith(".npz, .ts, an image, or a folder of images.")


def test_sixteen_bits_are_refused(folder):
    save(folder, "circle/0.png", GREY.astype(np.uint16))
    assert refusal(folder) == "shapes/circle/0.png: has more than 8 bits a channel (I;16). Save it with 8 bits."


@pytest.mark.parametrize("content", [b"", b"junk", b"\x89PNG\r\n\x1a\n", b"GIF89a"])
def test_a_broken_file_is_named(folder, content):
    (folder / "square" / "b.png").write_bytes(content)
    assert refusal(folder) == (
        "shapes/square/b.png: is no whole PNG, JPEG, WebP, BMP or TIFF image. Save it again, or remove it."
    )


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(part=st.floats(0, 1), flips=st.lists(st.tuples(st.integers(0, 200), st.integers(1, 255)), max_size=3))
@pytest.mark.parametrize("name", ["square/b.png", "square/b.jpg"])
def test_any_damage_is_read_or_refused_in_one_line(tmp_path, name, part, flips):
    path = save(tmp_path / "a", name)
    content = bytearray(path.read_bytes())
    for place, change in flips:
        content[place % len(content)] ^= change
    path.write_bytes(bytes(content[: int(len(content) * part)]))
    try:
        message = f"a/{name}: {read(tmp_path / 'a').rows}"
    except ChainruleError as error:
        message = str(error)
    assert message.startswith(f"a/{name}: ")
    assert "\n" not in message


def test_folders_of_something_else(tmp_path, folder):
    assert refusal(str(folder / "circle")) == (
        f"'{cut(str(folder / 'circle'))}' is a folder without subfolders. "
        "Give a file, or a folder of images with a subfolder for each class."
    )
    (folder / "empty").mkdir()
    assert refusal(folder) == (
        "shapes/empty: there is no image (.png, .jpg, .jpeg, .webp, .bmp, .tif, .tiff) in this folder. Give a folder "
        "with a subfolder of images for each class; here the classes would be circle, empty, square."
    )


# Sizes


@pytest.mark.parametrize(
    ("size", "pixels"),
    [(4, (4, 4)), ((4, 3), (4, 3)), ("4", (4, 4)), ("4x3", (4, 3)), (" 4 × 3 ", (4, 3)), (np.int64(5), (5, 5))],
)
def test_images_are_resized_where_a_size_is_chosen(folder, size, pixels):
    save(folder, "square/c.png", np.tile(GREY, (20, 30)))
    table = read(folder, size=size)
    width, height = pixels
    assert table["image"].shape == (5, height, width, 1)
    assert table.found.reading == {"size": f"{width}x{height}", "colour": False}
    assert table.found.notes["resized"] == f"shapes: 5 of 5 images are resized to {width} × {height} pixels."
    expected = np.asarray(Image.fromarray(GREY).resize(pixels, Image.Resampling.BILINEAR))
    np.testing.assert_array_equal(table["image"][0, :, :, 0], expected)


def test_images_of_the_size_stay_as_they_are(folder):
    plain, chosen = read(folder), read(folder, size=(8, 6))
    np.testing.assert_array_equal(chosen["image"], plain["image"])
    assert "resized" not in chosen.found.notes
    assert plain.found.reading == chosen.found.reading == {"size": "8x6", "colour": False}


def test_later_images_are_resized_to_those_of_training_and_need_no_classes(folder, tmp_path):
    like = read(folder).found.reading
    for name in ("new/photo.png", "new/2.png"):
        save(tmp_path, name, np.tile(GREY, (20, 30)))
    save(tmp_path, "new/3.png")
    (tmp_path / "new" / "notes.txt").write_text("hello")
    table = read(tmp_path / "new", like=like)
    assert (list(table), table["image"].shape) == (["image"], (3, 6, 8, 1))
    assert table.place(0, "image") == "new, file 2.png, column 'image'"
    assert table.found.notes == {
        "skipped": "new: 1 entry is no image by its name and passed over: notes.txt.",
        "resized": "new: 2 of 3 images are resized to 8 × 6 pixels.",
    }
    photo = read(tmp_path / "new" / "photo.png", like=like)
    np.testing.assert_array_equal(photo["image"], table["image"][2:])
    assert photo.place(0, "image") == "photo.png, file photo.png, column 'image'"
    assert list(read(folder, like=like)) == ["image", "target"]
    (tmp_path / "none").mkdir()
    assert refusal(tmp_path / "none", like=like).startswith("none: there is no image (.png, ")


@pytest.mark.parametrize("size", [0, -4, 1.5, "", "4x", "4x3x2", "axb", (4, 3, 1), (), 100_000, True, "٤"])
def test_sizes_that_are_none(folder, size):
    said = refusal(folder, size=size)
    assert said.startswith("size must be pixels such as 64, or 64x48 (width x height), got ")


def test_a_size_beyond_the_memory_is_refused_before_it_is_made(folder):
    said = refusal(folder, size="99999")
    assert said.startswith("shapes: 4 images of 99,999 × 99,999 pixels would take ")
    assert said.endswith(" Give a smaller size.")


def test_a_size_is_for_images(tmp_path, folder):
    assert refusal("iris", size=4) == "'iris': size is for folders of images. Leave it out."
    (tmp_path / "table.csv").write_text("a,b\n1,2\n")
    assert refusal(tmp_path / "table.csv", size=4).endswith("size is for folders of images. Leave it out.")
    packed = shutil.make_archive(str(tmp_path / "packed"), "zip", folder)
    assert read(packed, size="5x4")["image"].shape[1:3] == (4, 5)


@pytest.mark.parametrize("name", ["1.webp", "1.bmp", "1.tif", "1.TIFF"])
@pytest.mark.parametrize("pixels", [GREY, COLOUR])
def test_other_formats(tmp_path, name, pixels):
    save(tmp_path / "a", f"x/{name}", pixels, **({"lossless": True} if "webp" in name else {}))
    image = read(tmp_path / "a")["image"][0]
    np.testing.assert_array_equal(image.mean(axis=-1), np.atleast_3d(pixels).mean(axis=-1))


def test_what_is_passed_over_is_counted(folder):
    (folder / "circle" / "deeper").mkdir()
    assert read(folder).found.notes == {
        "skipped": "shapes: 3 entries are no images by their names and passed over: notes.txt, circle/deeper, "
        "circle/notes.txt."
    }


def test_several_images_in_a_file_are_refused(folder):
    frames = [Image.fromarray(GREY), Image.fromarray(GREY + 1)]
    frames[0].save(folder / "circle" / "0.tiff", save_all=True, append_images=frames[1:])
    assert refusal(folder) == "shapes/circle/0.tiff: holds several images. Save each in a file of its own."


def test_what_is_no_file_is_refused(folder):
    expected = "shapes/circle/0.png: is no file but a folder, a pipe, or a link to what is not there. Remove it."
    odd = folder / "circle" / "0.png"
    odd.symlink_to("nowhere")
    assert refusal(folder) == expected
    odd.unlink()
    odd.mkdir()
    assert refusal(folder) == expected
    odd.rmdir()
    if hasattr(os, "mkfifo"):
        os.mkfifo(odd)  # to open it would wait for ever
        assert refusal(folder) == expected


def test_bombs(folder, monkeypatch):
    Image.new("1", (13_000, 13_000)).save(folder / "circle" / "0.png")
    assert (folder / "circle" / "0.png").stat().st_size < 10**5
    assert refusal(folder) == ("shapes/circle/0.png: is of more than 89,478,485 pixels. Resize all images to one size.")
    (folder / "circle" / "0.png").unlink()
    monkeypatch.setattr("chainrule.arrays.memory.most", lambda: 191)
    assert refusal(folder).startswith(
        "shapes: 4 images of 8 × 6 pixels would take 1.92e-07 GB, more than a quarter of "
    )


def test_libtiff_says_nothing(folder, capfd):
    """What it would say on standard error of a fax of grey images."""
    fax = Image.new("1", (16, 8))
    fax.save(folder / "circle" / "0.tif", compression="group4")
    assert refusal(folder).startswith("shapes/circle/1.png: is 8 × 6 pixels")
    content = (folder / "circle" / "0.tif").read_bytes()
    bits = (258).to_bytes(2, "little") + (3).to_bytes(2, "little") + (1).to_bytes(4, "little")
    (folder / "circle" / "0.tif").write_bytes(content.replace(bits + b"\1", bits + b"\x08"))
    assert refusal(folder) == (
        "shapes/circle/0.tif: is no whole PNG, JPEG, WebP, BMP or TIFF image. Save it again, or remove it."
    )
    assert capfd.readouterr().err == ""
