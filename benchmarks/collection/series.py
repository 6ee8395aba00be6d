"""Series of the UCR and UEA archives and Monash's, which aeon carries, divided as the archives divide them."""

import tempfile
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.collection.columns import Columns
from benchmarks.collection.sets import Set, Source
from benchmarks.collection.sources import AEON
from chainrule.data import read

PARTS = ("TRAIN", "TEST")


def aeon(name: str) -> Source:
    """A set of aeon: its rows to train on, and then those to test on."""

    def columns() -> Columns:
        with tempfile.TemporaryDirectory() as place:
            tables = []
            for part in PARTS:
                file = Path(place) / f"{name}_{part}.ts"
                file.write_bytes(AEON.file(f"aeon/datasets/data/{name}/{name}_{part}.ts"))
                tables.append(read(file))
                file.unlink()
        series, target = tables[0]
        steps = max(table[series].shape[1] for table in tables)
        longer = [
            np.pad(t[series], ((0, 0), (0, steps - t[series].shape[1]), (0, 0)), constant_values=np.nan) for t in tables
        ]
        return {"series": np.concatenate(longer), "target": np.concatenate([table[target] for table in tables])}

    return Source(AEON, f"aeon/datasets/data/{name}", columns)


classes = partial(Set, kind="series", task="classes", target="target")
values = partial(Set, kind="series", task="values", target="target")

SERIES = [
    classes("power demand", rows=1096, test=1029 / 1096, source=aeon("ItalyPowerDemand")),
    classes("gun or point", rows=200, test=150 / 200, source=aeon("GunPoint")),
    classes("arrowheads", rows=211, test=175 / 211, source=aeon("ArrowHead")),
    classes("speakers", rows=640, test=370 / 640, source=aeon("JapaneseVowels")),
    classes("leaves", rows=442, test=242 / 442, source=aeon("OSULeaf")),
    classes("appliances", rows=200, test=100 / 200, source=aeon("ACSF1")),
    classes("gestures", rows=100, test=50 / 100, source=aeon("PickupGestureWiimoteZ")),
    values("epidemics", rows=201, test=61 / 201, source=aeon("Covid3Month")),
    values("Cardano", rows=107, test=33 / 107, source=aeon("CardanoSentiment")),
]
