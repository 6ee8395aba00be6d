"""Make names.csv and snippets.csv from the source archives of two packages: `python examples/data.py`.

Names: 1,219 male and 4,275 female first names, from `names` 0.3.0 (MIT). Snippets: 10,605 snippets of movie reviews
scored from −4 to 4 by people, from `vaderSentiment` 0.5 (MIT; Hutto & Gilbert, 2014); those scored 0 are left out.
"""

import csv
import io
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path


def archive(package: str) -> Path:
    """The source archive of a package, downloaded by pip and not installed."""
    folder = Path(tempfile.mkdtemp())
    options = ["--quiet", "--no-deps", "--no-binary", ":all:", "--no-build-isolation", "--dest", str(folder)]
    subprocess.run([sys.executable, "-m", "pip", "download", *options, package], check=True)
    return next(folder.iterdir())


def names() -> list[tuple[str, str]]:
    """First names with their sex."""
    rows = []
    with tarfile.open(archive("names==0.3.0")) as content:
        for sex in ("female", "male"):
            member = next(m for m in content.getmembers() if m.name.endswith(f"names/dist.{sex}.first"))
            lines = content.extractfile(member).read().decode().splitlines()  # type: ignore[union-attr]
            rows += [(line.split()[0].capitalize(), sex) for line in lines]
    return rows


def snippets() -> list[tuple[str, str]]:
    """Snippets of movie reviews with their tone."""
    with zipfile.ZipFile(archive("vaderSentiment==0.5")) as content:
        inner = next(name for name in content.namelist() if name.endswith("hutto_ICWSM_2014.tar.gz"))
        with tarfile.open(fileobj=io.BytesIO(content.read(inner))) as resources:
            member = next(m for m in resources.getmembers() if m.name.endswith("movieReviewSnippets_GroundTruth.txt"))
            text = resources.extractfile(member).read().decode("latin-1")  # type: ignore[union-attr]
    rows = [line.split("\t") for line in text.splitlines() if line.count("\t") >= 2]
    return [(row[2], "positive" if float(row[1]) > 0 else "negative") for row in rows if float(row[1])]


def write(file: str, header: tuple[str, str], rows: list[tuple[str, str]]) -> None:
    """A CSV file of two columns."""
    with open(file, "w", newline="", encoding="utf-8") as out:
        csv.writer(out, quoting=csv.QUOTE_ALL).writerows([header, *rows])
    print(f"{file}: {len(rows):,} rows")


write("names.csv", ("name", "sex"), names())
write("snippets.csv", ("snippet", "tone"), snippets())
