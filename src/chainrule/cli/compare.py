"""`chainrule compare`: which formula serves data best, and whether that is more than chance."""

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from chainrule.cli import options
from chainrule.cli.base import sharing
from chainrule.cli.interrupt import CTRL_C
from chainrule.cli.options import FORMULAS, RUN, One, Several, taking
from chainrule.cli.words import option, options_of, quoted
from chainrule.errors import ChainruleError

FINISHING = "finishing: the trials that are done are kept"
AXES = ("activation", "optimizer", "network", "cost", "regularizer", "initializer")
ANEW = ("data", "repeat", "out", "jobs", "on", "address")  # what may be said of a comparison that is repeated


@sharing(options.SHARED, before="seeds")
def compare(
    data: Annotated[
        str | None,
        typer.Argument(metavar="DATA", help="A named set, a file, or a folder of images.", show_default=False),
    ] = None,
    activation: Annotated[
        Several, taking(FORMULAS, "FORMULA", "In the place of all activations between layers; repeat it to compare.")
    ] = None,
    optimizer: Annotated[Several, taking(FORMULAS, "FORMULA", '"Nesterov(0.01)"; repeat it to compare.')] = None,
    network: Annotated[Several, taking(FORMULAS, "FORMULA", "Layers; repeat it to compare [by the data].")] = None,
    cost: Annotated[Several, taking(FORMULAS, "FORMULA", "Repeat it to compare [by the network's end].")] = None,
    regularizer: Annotated[Several, taking(FORMULAS, "FORMULA", "Repeat it to compare; None for none.")] = None,
    initializer: Annotated[Several, taking(FORMULAS, "FORMULA", "Of all kernels; repeat it to compare.")] = None,
    vary: Annotated[
        Several,
        taking(
            FORMULAS,
            "PATH=VALUES",
            "Values of a field or a choice: optimizer.learning_rate=1e-3,1e-2, network.layers.2.rate=0.1,0.5, "
            "dropout=0.1,0.5, batch_size=32,128; may be repeated.",
        ),
    ] = None,
    metric: Annotated[
        Several, taking(FORMULAS, "FORMULA", '"F1()"; the first one decides [accuracy, or R²]; may be repeated.')
    ] = None,
    seeds: Annotated[One, taking(RUN, "NUMBER", "How many divisions of the data each is trained on [10].")] = None,
    tune: Annotated[
        Several,
        taking(RUN, "FIELD", "Let each training find its own value by the validation cost: learning_rate; may repeat."),
    ] = None,
    budget: Annotated[One, taking(RUN, "NUMBER", "Values that it tries, half a decade apart [7].")] = None,
    jobs: Annotated[One, taking(RUN, "NUMBER", "How many share the work and this machine's cores, or all [1].")] = None,
    on: Annotated[One, taking(RUN, "WHERE", "dask: the workers of a cluster, whose scheduler --address names.")] = None,
    address: Annotated[One, taking(RUN, "HOST:PORT", "Where that scheduler is.")] = None,
    out: Annotated[One, taking(RUN, "FOLDER", "Keep all trials there, to go on by the same command [nowhere].")] = None,
    repeat: Annotated[
        One, taking(RUN, "FOLDER", "Repeat the comparison in that folder: go on with it, or elsewhere by --out.")
    ] = None,
    **shared: Any,
) -> int:
    """Compare formulas on the same data: trained from several seeds, told apart from chance.

    Example: `chainrule compare digits --activation ReLU --activation ELU --optimizer "Adam()"
    --optimizer "Nesterov()" --seeds 10 --tune learning_rate --out runs/which`
    """
    own = dict(locals())
    given = own | own.pop("shared")
    from chainrule.cli import choices, output, reading
    from chainrule.runs import comparison

    running = {"jobs": choices.number_or_all("--jobs", jobs) or 1, "on": on, "address": address}
    if repeat is not None:
        _check_alone(given)
        asked, out = comparison.repeated(repeat, data), out or repeat
    elif data is None:
        raise ChainruleError("Missing argument 'DATA'. See: chainrule compare --help.")
    else:
        asked = {
            "data": data,
            **{name: given[name] for name in AXES},
            "vary": dict(map(_varied, vary or [])),
            "metrics": choices.figures("--metric", metric or []),
            **options.said(shared),
            "seeds": choices.whole("--seeds", seeds or "10", 1, 10_000),
            "tune": tune or [],
            "budget": choices.whole("--budget", budget or "7", 2, 1000),
        }
    ready = comparison.planned(**asked)
    output.data(ready.first)
    reading.say(*ready.first.found)
    CTRL_C.finish(FINISHING)
    try:
        compared = comparison.carry_out(ready, out=out, command=_command, **running)
    except KeyboardInterrupt as interrupted:
        output.note(str(interrupted))
        return CTRL_C.code
    output.say("")
    output.comparison(compared)
    if out is not None:
        output.say("All of it is in ", (out, "bold"), ".")
    return CTRL_C.code if CTRL_C.wanted else 0


def _varied(text: str) -> tuple[str, str]:
    """A path, and the values of what it leads to."""
    path, equals, values = text.partition("=")
    if not (path.strip() and equals and values.strip()):
        raise ChainruleError(f"--vary must be a path and its values, such as batch_size=32,128, got {text}.")
    return path.strip(), values


def _check_alone(given: Mapping[str, Any]) -> None:
    """Refuse what can't be said of a comparison that is repeated, since it was said when it began."""
    for name, value in given.items():
        if value not in (None, False, []) and name not in ANEW:
            raise ChainruleError(f"--repeat repeats every choice of that comparison. Leave {option(name)} out.")


def _command(record: Mapping[str, Mapping[str, Any]]) -> str:
    """The command that repeats a comparison, from the sections of its record."""
    axes, asked, said = record["axes"], record["comparison"], dict(record["choices"])
    words = ["chainrule", "compare", record["data"]["source"]]
    for axis, values in axes.items():
        words += options_of(axis, values) if axis in AXES else ["--vary", f"{axis}={','.join(values)}"]
    said |= {"metric": said.pop("metrics", None), "seeds": len(asked["seeds"])}
    said |= {name: asked[name] or None for name in ("tune", "budget")}
    for name, value in said.items():
        words += [option(name)] if value is True else [] if value is None else options_of(name, value)
    return " ".join(map(quoted, words))
