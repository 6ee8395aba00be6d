"""Real data sets that travel in packages, to choose defaults on and to report: `python -m benchmarks.collection`.

Letters, spam, topics of news, film ratings, smartwatch series and Fashion-MNIST are left out, wherever a package
carries them: they remain a check that nothing is tuned to.
"""

from benchmarks.collection.images import IMAGES
from benchmarks.collection.packages import CollectionError
from benchmarks.collection.series import SERIES
from benchmarks.collection.sets import Set, parted
from benchmarks.collection.tables import TABLES
from benchmarks.collection.text import TEXTS

SETS = parted([*TABLES, *IMAGES, *SERIES, *TEXTS])
"""Every set, by name."""

__all__ = ["SETS", "CollectionError", "Set"]
