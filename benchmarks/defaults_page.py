"""The page on untuned trainings: `python -m benchmarks.defaults --table` writes docs/defaults.md."""

import statistics

from benchmarks.collection import SETS, Set
from benchmarks.standings import OURS, Count, Outcome, Standings, counted, mean_ranks
from benchmarks.untuned import OF_KIND

INTRODUCTION = """\
# What you get without choosing

Real data sets, each divided {seeds} times or less into rows to train on and rows to test on, a fifth (of series, as
many as their archive tests on): the same for all who take part. Nobody is tuned. Chainrule does what `chainrule train`
does when only the target is said (and what blank cells or a column of text are, where it asks). scikit-learn's
`MLPClassifier` and `MLPRegressor` have the usual pipeline (blanks filled, numbers and values to predict standardised,
categories one-hot), `HistGradientBoosting` has its categories and blanks as they are, both with all defaults. TF-IDF
takes words and pairs of words (of names and Chinese: one to three characters), and gives them to a logistic regression,
or a ridge regression for values. Keras has the networks of its own examples, "Simple MNIST convnet" and "Timeseries
classification from scratch"; the latter's batch normalisation has a momentum of 0.9, since with 0.99 it does not get to
learn few rows.

The scores are accuracy for classes and R² for values, on the rows to test on: the mean over the divisions, and their
standard deviation, of the divisions that all on the line have; the best of several is bold. A difference is beyond the
spread where its mean is more than its standard deviation. Seconds are from raw rows to a trained model, compilation
included, each set in a process of its own in which the entrants take turns; they are measured apart from the scores, on
a quiet machine. Some 0.7 of Chainrule's are what it takes here to trace and compile a small network, once for each
structure and shape in a process (0.3 on a machine with AVX-512): no training ends before, however few its rows.

The sets travel in packages, and `python -m benchmarks.collection` lists them with their licences. They were divided
once, before anything was measured: those of a kind and a task were sorted by their rows and taken in pairs, and the one
of each pair whose name has the lower SHA-256 is to choose defaults on. The others, in the tables here, were never used
to choose. Letters, spam, topics of news, film ratings, smartwatch series and Fashion-MNIST are in neither part.
"""

HEADINGS = {"table": "Tables", "text": "Texts", "series": "Series", "images": "Images"}
PLACE = ("processor", "threads", "python", "jax", "jaxlib")


def page(scores: Standings, times: Standings) -> str:
    """All of it: the goals, counted, and a table for each kind of data; what was lost too."""
    sets = [one for one in SETS.values() if one.part == "report" and scores.of(one.name, OURS)]
    seeds = max((len(scores.of(one.name, OURS)) for one in sets), default=0)
    parts = [INTRODUCTION.format(seeds=seeds), "## The goals, counted", goals(scores, times, sets)]
    for kind, heading in HEADINGS.items():
        if some := [one for one in sets if one.kind == kind]:
            parts += [f"## {heading}", table(scores, times, some, OF_KIND[kind])]
    parts += [failures(scores, sets), unmeasured(scores, sets), made_of("Scores", scores, sets)]
    parts += [made_of("Seconds", times, sets) or "Seconds were not measured."]
    return "\n\n".join(part.strip("\n") for part in parts if part) + "\n"


def goals(scores: Standings, times: Standings, sets: list[Set]) -> str:
    """How often each goal is reached, and where it is not; then the mean ranks."""
    lines = ["| Chainrule is … | reached | missed on |", "| --- | ---: | --- |"]
    counts = counted(scores, times, {one.name: one.kind for one in sets})
    lines += [_goal(count) for count in counts if count.reached or count.missed]
    entrants = OF_KIND["table"]
    of_tables = [scores.scores(one.name) for one in sets if one.kind == "table"]
    complete = [each for each in of_tables if each.keys() >= {*entrants}]
    ranks = mean_ranks(complete)
    shown = ", ".join(f"{who} {ranks[who]:.2f}" for who in sorted(ranks, key=ranks.__getitem__))
    return "\n".join(lines) + (f"\n\nMean rank over {len(complete)} tables: {shown}." if ranks else "")


def _goal(count: Count) -> str:
    sets = len(count.reached) + len(count.missed)
    wanted = "" if count.goal.least == 1 else f" (goal: {count.goal.least:.0%})"
    return f"| {count.goal.words} | {len(count.reached)} of {sets}{wanted} | {', '.join(count.missed) or 'none'} |"


def table(scores: Standings, times: Standings, sets: list[Set], entrants: tuple[str, ...]) -> str:
    """Scores, and seconds where they were measured, a line for each set."""
    timed = [who for who in entrants if any(times.of(one.name, who) for one in sets)]
    headings = ["set", "predicts", "rows", "divisions", *entrants, *(f"{who}: s" for who in timed)]
    lines = [f"| {' | '.join(headings)} |", f"| --- | --- |{' ---: |' * (len(headings) - 2)}"]
    for one in sets:
        shared = scores.shared(one.name)
        outcomes = [shared.get(who, []) for who in entrants]
        means = [statistics.fmean(each.score or 0.0 for each in of) if of else None for of in outcomes]
        known = [round(mean, 3) for mean in means if mean is not None]
        best = max(known) if len(known) > 1 else None
        shown = [_score(of, mean, best) for of, mean in zip(outcomes, means, strict=True)]
        took = [times.of(one.name, who) for who in timed]
        seconds = [f"{statistics.fmean(each.seconds for each in of):.1f}" if of else "" for of in took]
        divisions = str(len(outcomes[0]))
        lines.append(f"| {' | '.join([one.name, one.task, f'{one.rows:,}', divisions, *shown, *seconds])} |")
    return "\n".join(lines)


def _score(outcomes: list[Outcome], mean: float | None, best: float | None) -> str:
    if mean is None:
        return ""
    spread = f" ± {statistics.stdev(each.score or 0.0 for each in outcomes):.3f}" if len(outcomes) > 1 else ""
    shown = f"**{mean:.3f}**" if round(mean, 3) == best else f"{mean:.3f}"
    return shown + spread + (" †" if any(each.score is None for each in outcomes) else "")


def failures(standings: Standings, sets: list[Set]) -> str:
    """What could not be trained, which counts as a score of 0."""
    names = {one.name for one in sets}
    failed = {(o.set, o.entrant, o.error) for o in standings.outcomes.values() if o.score is None and o.set in names}
    return "\n".join(f"† {who} on {name}: {error}" for name, who, error in sorted(failed))


def unmeasured(scores: Standings, sets: list[Set]) -> str:
    """Whose scores are missing, and on which sets."""
    missing: dict[str, list[str]] = {}
    for one in sets:
        for who in OF_KIND[one.kind]:
            if not scores.of(one.name, who):
                missing.setdefault(who, []).append(one.name)
    return "\n\n".join(f"{who} was not measured on {', '.join(names)}." for who, names in missing.items())


def made_of(what: str, standings: Standings, sets: list[Set]) -> str:
    """What was measured, and where; nothing where nothing was."""
    names = {one.name for one in sets}
    measured = sorted({outcome.of for outcome in standings.outcomes.values() if outcome.set in names})
    machine = ", ".join(f"{name} {value}" for name, value in standings.machine.items() if name in PLACE)
    return f"{what}: {', '.join(measured)}; {machine}." if measured else ""
