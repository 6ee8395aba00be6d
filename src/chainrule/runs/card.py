"""A run's folder as a model repository of Hugging Face: `config.json`, and `README.md`, which is the model's card."""

import json
import math
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import PurePath
from typing import Any

from chainrule.data.preprocessing import Preprocessor
from chainrule.data.table import shortened
from chainrule.errors import counted, printable
from chainrule.runs.planning import Plan

CONFIG, CARD = "config.json", "README.md"
LIBRARY = "chainrule"
KINDS = {"table": "tabular", "images": "image", "tokens": "text", "series": "time-series"}
PIPELINES = ("tabular-classification", "tabular-regression", "image-classification", "text-classification")
"""The tasks that Hugging Face knows."""


def config(plan: Plan) -> str:
    """What a model is, for programs: its formulas in notation, what it takes and what it gives."""
    preprocessor = plan.preprocessor
    said = {
        "library_name": LIBRARY,
        "library_version": version(LIBRARY),
        "model_type": "network",
        "task": preprocessor.task,
        "network": repr(plan.network),
        "cost": repr(plan.cost),
        "regularizer": plan.regularizer and repr(plan.regularizer),
        "inputs": preprocessor.schema.inputs,
        "input_shape": preprocessor.input_shape,
        "targets": preprocessor.schema.targets,
        "classes": preprocessor.classes or None,
    }
    return json.dumps(said, indent=2, ensure_ascii=False) + "\n"


def card(plan: Plan, figures: Mapping[str, Any]) -> str:
    """A model's card: what Hugging Face sorts it by, then words for people."""
    parts = {name: figures[name] for name in plan.prepared if name in figures}
    data, target = _data(plan), plan.preprocessor.schema.target
    penalty = f" with `{plan.regularizer!r}`" if plan.regularizer else ""
    return "\n".join(
        [
            "---",
            *(f"{name}: {json.dumps(value, ensure_ascii=False)}" for name, value in _front(plan, parts).items()),
            "---",
            printable(f"# {target} of {data}"),
            "",
            printable(f"A network that predicts {_predicted(plan.preprocessor)} from {_seen(plan.preprocessor)}."),
            "",
            "```",
            repr(plan.network),
            "```",
            "",
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
            "",
            "## Use",
            "",
            "```python",
            "from chainrule import load",
            "",
            'model = load("FOLDER")  # this folder, or one that huggingface_hub.snapshot_download gave',
            "model.predict(rows)  # columns by name, a data frame or records, as they were in training",
            "```",
            "",
        ]
    )


def _front(plan: Plan, parts: Mapping[str, Mapping[str, float]]) -> dict[str, Any]:
    """What a card begins with, in JSON, which is YAML too."""
    kind, task = KINDS.get(plan.preprocessor.kind, plan.preprocessor.kind), plan.preprocessor.task
    name, data = f"{kind}-{task}", _data(plan)
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
