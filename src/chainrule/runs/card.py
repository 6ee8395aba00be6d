"""A run's folder as a model repository of Hugging Face: `config.json`, and `README.md`, which is the model's card."""

import json
import math
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import PurePath
from typing import Any

from chainrule.data.preprocessing import Preprocessor
from chainrule.data.table import shortened
from chainrule.errors import counted, printable
from chainrule.model import Model
from chainrule.runs.planning import Plan

CONFIG, CARD = "config.json", "README.md"
LIBRARY = "chainrule"
KINDS = {"table": "tabular", "images": "image", "tokens": "text", "series": "time-series"}
PIPELINES = ("tabular-classification", "tabular-regression", "image-classification", "text-classification")
"""The tasks that Hugging Face knows."""


def config(of: Plan | Model) -> str:
    """What a model is, for programs: its formulas in notation, what it takes and what it gives."""
    preprocessor = of.preprocessor
    taken: Preprocessor | Model = of if preprocessor is None else preprocessor  # type: ignore[assignment]
    said = {
        "library_name": LIBRARY,
        "library_version": version(LIBRARY),
        "model_type": "network",
        "task": preprocessor and preprocessor.task,
        "network": repr(of.network),
        "cost": repr(of.cost),
        "regularizer": of.regularizer and repr(of.regularizer),
        "inputs": preprocessor and preprocessor.schema.inputs,
        "input_shape": taken.input_shape,
        "targets": preprocessor and preprocessor.schema.targets,
        "classes": None if not taken.classes else [*taken.classes],
    }
    return json.dumps(said, indent=2, ensure_ascii=False, default=str) + "\n"


def card(plan: Plan, figures: Mapping[str, Any]) -> str:
    """A model's card: what Hugging Face sorts it by, then words for people."""
    parts = {name: figures[name] for name in plan.prepared if name in figures}
    data, target = _data(plan), plan.preprocessor.schema.target
    penalty = f" with `{plan.regularizer!r}`" if plan.regularizer else ""
    told = [
        f"`{plan.optimizer!r}` trained it on the cost `{plan.cost!r}`{penalty}. `run.toml` has every choice of the "
        "training, enough to repeat it.",
        "",
        "## Data",
        "",
        f"{data}: {', '.join(f'{rows:,} rows for {name}' for name, rows in plan.rows.items())}.",
        "",
        "## Measures",
        "",
        *_table(parts),
    ]
    return _written(_front(plan, parts), f"{target} of {data}", plan, told)


def imported(model: Model, file: str) -> str:
    """The card of a model that came from a file of another library."""
    name = PurePath(file).name
    kind = None if model.preprocessor is None else _kind(model.preprocessor)
    front = {
        "library_name": LIBRARY,
        **({"pipeline_tag": kind} if kind in PIPELINES else {}),
        "tags": [LIBRARY, *([kind] if kind else [])],
    }
    told = [printable(f"It was trained elsewhere, and came in from `{name}` by `chainrule import`.")]
    return _written(front, PurePath(file).name.partition(".")[0], model, told)


def _written(front: Mapping[str, Any], title: str, of: Plan | Model, told: Sequence[str]) -> str:
    """A card: what it begins with, in JSON, which is YAML too; the network, what is told of it, and its use."""
    preprocessor = of.preprocessor
    if preprocessor is None:
        does = f"A network that takes arrays of shape {of.input_shape}."  # type: ignore[union-attr]
        use = "model(x)  # arrays of many rows, as the network takes them"
    else:
        does = f"A network that predicts {_predicted(preprocessor)} from {_seen(preprocessor)}."
        use = "model.predict(rows)  # columns by name, a data frame or records, as they were in training"
    return "\n".join(
        [
            "---",
            *(f"{name}: {json.dumps(value, ensure_ascii=False)}" for name, value in front.items()),
            "---",
            printable(f"# {title}"),
            "",
            printable(does),
            "",
            "```",
            repr(of.network),
            "```",
            "",
            *told,
            "",
            "## Use",
            "",
            "```python",
            "from chainrule import load",
            "",
            'model = load("FOLDER")  # this folder, or one that huggingface_hub.snapshot_download gave',
            use,
            "```",
            "",
        ]
    )


def _front(plan: Plan, parts: Mapping[str, Mapping[str, float]]) -> dict[str, Any]:
    name, data = _kind(plan.preprocessor), _data(plan)
    part = next((each for each in ("test", "validation", "train") if each in parts), None)
    measured = [
        {"type": metric, "name": f"{metric} ({part})", "value": value}
        for metric, value in (parts[part] if part else {}).items()
        if metric != "cost" and math.isfinite(value)
    ]
    results = [{"task": {"type": name}, "dataset": {"type": data, "name": data}, "metrics": measured}]
    index = [{"name": f"{plan.preprocessor.schema.target} of {data}", "results": results}]
    return {
        "library_name": LIBRARY,
        **({"pipeline_tag": name} if name in PIPELINES else {}),
        "tags": [LIBRARY, name],
        "datasets": [data],
        "metrics": [each["type"] for each in measured],
        **({"model-index": index} if measured else {}),
    }


def _kind(preprocessor: Preprocessor) -> str:
    """What a model does, as Hugging Face calls it."""
    return f"{KINDS.get(preprocessor.kind, preprocessor.kind)}-{preprocessor.task}"


def _data(plan: Plan) -> str:
    """What the data are called, without where they are."""
    return printable(PurePath(plan.source).stem) or "data"


def _predicted(preprocessor: Preprocessor) -> str:
    classes = f": one of {counted(len(preprocessor.classes), 'class', 'classes')}, {shortened(preprocessor.classes)}"
    return f"`{preprocessor.schema.target}`{classes if preprocessor.classes else ''}"


def _seen(preprocessor: Preprocessor) -> str:
    shape = " × ".join(map(str, preprocessor.input_shape))
    names = shortened(f"`{name}`" for name in preprocessor.schema.inputs)
    return f"{names} ({shape} inputs)" if preprocessor.kind == "table" else f"{names} ({preprocessor.kind}, {shape})"


def _table(parts: Mapping[str, Mapping[str, float]]) -> list[str]:
    """The figures of each part, as a table."""
    names = list(dict.fromkeys(name for figures in parts.values() for name in figures))
    rows = [["part", *names], ["---", *["---:"] * len(names)]]
    rows += [[part, *(f"{figures[name]:.4g}" for name in names)] for part, figures in parts.items()]
    return [f"| {' | '.join(row)} |" for row in rows]
