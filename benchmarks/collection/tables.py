"""Tables of classes and of values: from a hundred rows to tens of thousands, narrow and wide, whole and with blanks."""

from functools import partial

import numpy as np

from benchmarks.collection.columns import Columns, known, of_frame, texts, without
from benchmarks.collection.r import r_object
from benchmarks.collection.sets import Set, Source
from benchmarks.collection.sources import (
    AER,
    CARDATA,
    CARET,
    DSLABS,
    FOREST,
    ISLP,
    KERNLAB,
    PLOTNINE,
    RIVER,
    SCIKIT_LEARN,
    VCDEXTRA,
    Mend,
    in_csv,
    in_r,
    mlbench,
    modeldata,
)


def dropping(*names: str) -> Mend:
    """The columns but some: numbers of rows, and what tells the target."""
    return lambda columns: without(columns, *names)


def knowing(target: str, *dropped: str) -> Mend:
    """The rows whose target is known, and the columns but some."""
    return lambda columns: known(without(columns, *dropped), target)


def scikit_learn(name: str) -> Source:
    """A table that scikit-learn carries."""

    def read() -> Columns:
        from sklearn import datasets

        bunch = getattr(datasets, f"load_{name}")(as_frame=True)
        columns = of_frame(bunch.frame)
        if hasattr(bunch, "target_names"):
            columns["target"] = texts(bunch.target_names[columns["target"].astype(int)])
        return columns

    return Source(SCIKIT_LEARN, f"load_{name}", read)


def beside(file: str, inputs: str, target: str) -> Source:
    """A table of caret's, and the target that it keeps beside it."""

    def read() -> Columns:
        columns = of_frame(r_object(CARET, file, inputs))
        cells = r_object(CARET, file, target)
        return columns | {target: np.asarray(cells, float) if isinstance(cells, np.ndarray) else texts(cells)}

    return Source(CARET, f"{file}: {inputs}, {target}", read)


def _tissues() -> Columns:
    found = r_object(DSLABS, "dslabs/data/Rdata.rdb", "tissue_gene_expression")
    x = np.asarray(found["x"], float)
    return {f"gene {place}": cells for place, cells in enumerate(x.T, 1)} | {"tissue": texts(found["y"])}


def _bananas() -> Columns:
    lines = RIVER.file("river/datasets/banana.zip", "banana.all.txt").decode().splitlines()
    cells = [line.replace("1:", "").replace("2:", "").split() for line in lines]
    label, a, b = np.array(cells).T
    return {"a": a.astype(float), "b": b.astype(float), "label": label.astype(object)}


classes = partial(Set, kind="table", task="classes")
values = partial(Set, kind="table", task="values")

TABLES = [
    classes("wine", rows=178, target="target", source=scikit_learn("wine")),
    classes("breast cancer", rows=569, target="target", source=scikit_learn("breast_cancer")),
    classes("glass", rows=214, target="Type", source=mlbench("Glass")),
    classes("sonar", rows=208, target="Class", source=mlbench("Sonar")),
    classes("vehicles", rows=846, target="Class", source=mlbench("Vehicle")),
    classes("vowels", rows=990, target="Class", source=mlbench("Vowel")),
    classes("satellite", rows=6435, target="classes", source=mlbench("Satellite")),
    classes("space shuttle", rows=58_000, target="Class", source=mlbench("Shuttle")),
    classes("splices of DNA", rows=3186, target="Class", source=mlbench("DNA")),
    classes("soybeans", rows=683, target="Class", source=mlbench("Soybean")),
    classes("votes", rows=435, target="Class", source=mlbench("HouseVotes84")),
    classes("pima", rows=768, target="diabetes", source=mlbench("PimaIndiansDiabetes2")),
    classes(
        "German credit", rows=1000, target="Class", source=in_r(CARET, "caret/data/GermanCredit.RData", "GermanCredit")
    ),
    classes("attrition", rows=1470, target="Attrition", source=modeldata("attrition")),
    classes("credit", rows=4454, target="Status", source=modeldata("credit_data")),
    classes("churn", rows=7043, target="churn", source=modeldata("wa_churn")),
    classes("jobs", rows=4331, target="class", source=modeldata("hpc_data")),
    classes("Parkinson's speech", rows=252, target="class", source=modeldata("pd_speech")),
    classes(
        "drug resistance",
        rows=528,
        target="mdrrClass",
        source=beside("caret/data/mdrr.RData", "mdrrDescr", "mdrrClass"),
    ),
    classes("musk", rows=476, target="Class", source=in_r(KERNLAB, "kernlab/data/musk.rda", "musk")),
    classes(
        "income",
        rows=8993,
        target="INCOME",
        source=in_r(KERNLAB, "kernlab/data/income.rda", "income", knowing("INCOME")),
    ),
    classes(
        "segments",
        rows=2310,
        target="category",
        source=in_csv(RIVER, "river/datasets/segment.csv.zip", "segment.csv.zip"),
    ),
    classes("bananas", rows=5300, target="label", source=Source(RIVER, "river/datasets/banana.zip", _bananas)),
    classes("phishing", rows=1250, target="is_phishing", source=in_csv(RIVER, "river/datasets/phishing.csv.gz")),
    classes(
        "tissues",
        rows=189,
        target="tissue",
        source=Source(DSLABS, "dslabs/data/Rdata.rdb: tissue_gene_expression", _tissues),
    ),
    classes(
        "olive oils", rows=572, target="area", source=in_r(DSLABS, "dslabs/data/Rdata.rdb", "olive", dropping("region"))
    ),
    classes("penguins", rows=344, target="species", source=in_csv(PLOTNINE, "plotnine/data/penguins.csv")),
    classes("Titanic", rows=1309, target="survived", source=in_r(VCDEXTRA, "vcdExtra/data/Rdata.rdb", "Titanicp")),
    values("diabetes", rows=442, target="target", source=scikit_learn("diabetes")),
    values("Boston", rows=506, target="medv", source=mlbench("BostonHousing")),
    values("ozone", rows=361, target="V4", source=mlbench("Ozone", knowing("V4"))),
    values("concrete", rows=1030, target="compressive_strength", source=modeldata("concrete")),
    values("Ames", rows=2930, target="Sale_Price", source=modeldata("ames")),
    values("Chicago", rows=5698, target="ridership", source=modeldata("Chicago")),
    values("cars", rows=804, target="Price", source=modeldata("car_prices")),
    values("meats", rows=215, target="protein", source=modeldata("meats", dropping("water", "fat"))),
    values("developers", rows=5594, target="Salary", source=modeldata("stackoverflow")),
    values("biomass", rows=536, target="HHV", source=modeldata("biomass", dropping("sample", "dataset"))),
    values("checks", rows=13_626, target="check_time", source=modeldata("check_times", dropping("package"))),
    values(
        "autos",
        rows=201,
        target="price",
        source=in_r(FOREST, "randomForest/data/imports85.rda", "imports85", knowing("price")),
    ),
    values(
        "blood-brain barrier",
        rows=208,
        target="logBBB",
        source=beside("caret/data/BloodBrain.RData", "bbbDescr", "logBBB"),
    ),
    values("wages", rows=28_155, target="wage", source=in_r(AER, "AER/data/CPS1988.rda", "CPS1988")),
    values("students", rows=4739, target="score", source=in_r(AER, "AER/data/CollegeDistance.rda", "CollegeDistance")),
    values(
        "bikes",
        rows=8645,
        target="bikers",
        source=in_csv(ISLP, "ISLP/data/Bikeshare.csv", mend=dropping("casual", "registered")),
    ),
    values("hitters", rows=263, target="Salary", source=in_csv(ISLP, "ISLP/data/Hitters.csv", mend=knowing("Salary"))),
    values("vocabulary", rows=30_351, target="vocabulary", source=in_r(CARDATA, "carData/data/Rdata.rdb", "Vocab")),
    values(
        "countries", rows=10_545, target="life_expectancy", source=in_r(DSLABS, "dslabs/data/Rdata.rdb", "gapminder")
    ),
    values(
        "Texas",
        rows=7986,
        target="median",
        source=in_csv(PLOTNINE, "plotnine/data/txhousing.csv", mend=knowing("median", "volume")),
    ),
    values("diamonds", rows=53_940, target="price", source=in_csv(PLOTNINE, "plotnine/data/diamonds.csv")),
]
