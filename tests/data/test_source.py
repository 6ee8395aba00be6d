from pathlib import Path

import pytest

from chainrule.data import read
from chainrule.errors import ChainruleError


def write(folder: Path, content: str | bytes, name: str = "a.csv") -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def refusal(source, **options) -> str:
    with pytest.raises(ChainruleError) as caught:
        read(source, **options)
    return str(caught.value)


def test_sources_that_are_not_there(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write(tmp_path, "a\n1\n", "diamonds.csv")
    write(tmp_path, b"a\0b", "notes.doc")
    assert refusal("diamond.csv") == "There is no file 'diamond.csv'. Did you mean diamonds.csv?"
    assert refusal("digit") == "There is no file 'digit'. Did you mean digits?"
    assert refusal("qqq") == (
        "There is no file 'qqq'. Named sets are digits, iris, wine, breast_cancer, diabetes, mnist5k, BasicMotions, "
        "ItalyPowerDemand, JapaneseVowels, ArrowHead."
    )
    assert refusal("basicmotions") == "There is no file 'basicmotions'. Did you mean BasicMotions?"
    assert refusal("notes.doc") == (
        "'notes.doc': can't read files of this kind. Give one of .csv, .tsv, .parquet, .feather, .jsonl, .xlsx, "
        ".npz, .ts, or a folder of images."
    )
