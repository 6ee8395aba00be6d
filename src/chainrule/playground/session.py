"""A session: one tab's training, in a thread of its own, and what is sent of it."""

import queue
import threading
import time
import warnings
from collections.abc import Callable, Collection
from typing import Any

from chainrule.arrays.compilation import Programs, keeping
from chainrule.costs import Cost
from chainrule.data.table import Table
from chainrule.errors import ChainruleError, DivergedError
from chainrule.formula.base import check_single
from chainrule.formula.layer import Chain, Layer
from chainrule.formula.network import numbers
from chainrule.layers import Dense
from chainrule.notation import as_chain
from chainrule.notation.choices import as_whole
from chainrule.optimizers import Optimizer
from chainrule.playground.catalogue import described, edited, read
from chainrule.playground.choices import Choices
from chainrule.playground.examples import Examples, examples, gallery_frame, given, points_frame, suited
from chainrule.playground.pictures import Moment, Scene, columns, pictured, scene
from chainrule.regularizers import Regularizer
from chainrule.runs.planning import check_cost
from chainrule.training.stepping import Training

QUANTUM = 0.02  # seconds of steps between two looks at what is to be done
MOST = 200_000  # parameters of a network
DEEPEST = 40  # layers of one
FARTHEST = 10**6  # steps that are asked for at once

FAMILIES: dict[str, type[Any]] = {
    "network": Layer,
    "cost": Cost,
    "optimizer": Optimizer,
    "regularizer": Regularizer,
}

OF_DATA = ("data", "rows", "noise", "curve", "test", "seed", "target", "drop", "across", "up")
"""The choices that decide the examples."""

Send = Callable[[dict[str, Any] | bytes], None]


class Session:
    """A training that runs, pauses and steps as it is told; all that changes it happens in its own thread.

    Args:
        send: takes each message that is to go out, from any thread.
        fresh: called, from any thread, where there is something new to draw.

    Attributes:
        programs: what was compiled for it, which ends with it.
    """

    def __init__(self, send: Send, fresh: Callable[[], None]):
        self.send, self.fresh = send, fresh
        self.programs: Programs = {}
        self.choices = Choices()
        self.examples: Examples | None = None
        self.training: Training | None = None
        self.moment: Moment | None = None
        self.running = False
        self.raced: Any = None  # the ground of its own cost that was raced on last
        self.image: tuple[int, ...] | None = None  # the shape of an example, where it is seen as an image
        self.row = 0  # of the images to test, the one that is followed
        self._scene: Scene | None = None
        self._table: Table | None = None
        self._tasks: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._wanted: set[str] = set()  # the numbers of the answers that the page waits for
        self._ends, self._quantum, self._count = False, 1, 0
        self._drawn = (0, 0)  # of which training how many epochs were sent
        self._until: int | None = None
        self._due, self._pace, self._looked = 0.0, 0.0, (0.0, 0)
        self._thread = threading.Thread(target=self._work, name="playground", daemon=True)
        self._thread.start()

    def end(self) -> threading.Thread:
        """Let its thread, which this gives, end behind the steps that it is in."""
        self._ends = True
        self._tasks.put(None)
        return self._thread

    def do(self, asked: dict[str, Any], content: bytes = b"") -> None:
        """What a message asks for, as soon as the steps under way are done."""
        self._tasks.put(lambda: self._done(asked, content))

    def want(self, ask: Any) -> None:
        """From now on the page waits for an answer, by its number."""
        self._wanted.add(repr(ask))

    def forget(self, ask: Any) -> None:
        """The page has an answer, or waits for it no more."""
        self._wanted.discard(repr(ask))

    def check_wanted(self, ask: Any) -> bool:
        """True for an answer that is waited for. Raises `ChainruleError` for another one: its work may end."""
        if self._ends or repr(ask) not in self._wanted:
            raise ChainruleError("Nobody waits for this answer any more.")
        return True

    def picture(self) -> bytes | None:
        """The picture of now, with the epochs that none before had; None where there is nothing to draw."""
        moment, training = self.moment, self.training
        if moment is None or training is None or moment.number != self._count:
            return None
        number, sent = self._drawn
        sent = sent if number == moment.number else 0
        rows = training.history.rows[sent : moment.rows]
        whole = number == moment.number  # the first picture of a training does not wait for the layers' figures
        with keeping(self.programs):
            frame = pictured(moment, rows, self.running, whole)
        self._drawn = (moment.number, moment.rows)
        if not whole:
            self.fresh()
            self._tasks.put(self._warm_up)  # now that the first picture has its program
        return frame

    def _work(self) -> None:
        with keeping(self.programs):
            while not self._ends:
                try:
                    task = self._tasks.get(timeout=self._rest()) if self.running else self._tasks.get()
                except queue.Empty:
                    task = self._go_on
                if task is not None:
                    self._guarded(task)

    def _rest(self) -> float:
        """Seconds until the next steps are due."""
        return max(self._due - time.perf_counter(), 0.0) if self.choices.pace else 0.0

    def _guarded(self, task: Callable[[], None]) -> None:
        """A task, what goes wrong in which is told and ends nothing."""
        try:
            task()
        except DivergedError as error:
            self.running = False
            self.send({"kind": "diverged", "message": str(error)})
            self._look()
        except ChainruleError as error:
            self.running = False
            self.send({"kind": "refused", "field": None, "message": str(error)})
        except Exception as error:
            self.running = False
            self.send({"kind": "refused", "field": None, "message": f"{type(error).__name__}: {str(error)[:300]}"})

    def _done(self, asked: dict[str, Any], content: bytes) -> None:
        what = asked.get("do")
        field = asked.get("part") or next(iter(asked.get("choices") or ()), None) or what
        try:
            action = ACTIONS.get(what) if isinstance(what, str) else None
            if action is None:
                known = ", ".join(ACTIONS)
                raise ChainruleError(f"There is nothing to do by {str(what)[:40]!r}. It is one of {known}.")
            action(self, asked, content)
        except DivergedError:
            raise
        except ChainruleError as error:
            said = {"kind": "refused", "field": field, "message": str(error)}
            self.send(said | ({"ask": asked["ask"]} if "ask" in asked else {}))

    def choose(self, asked: dict[str, Any], content: bytes = b"") -> None:
        """Take changes of choices: the training goes on where only numbers differ, else it begins anew."""
        changes = asked.get("choices", {})
        choices = self.choices.changed(changes)
        self._take(choices, changes, anew=bool(asked.get("anew")))

    def edit(self, asked: dict[str, Any], content: bytes = b"") -> None:
        """Change a formula at a place in it, or insert layers into the network, or remove some."""
        part = asked.get("part")
        if part not in FAMILIES:
            raise ChainruleError(f"There is no part {str(part)[:40]!r}.")
        text, path = getattr(self.choices, part), asked.get("path", [])
        formula: Any = read(text, FAMILIES[part]) if text else None
        if part == "network":
            layers = [*as_chain(formula).layers]
            if "insert" in asked:
                at = as_whole(asked["insert"], "insert", 0, len(layers))
                layers[at:at] = as_chain(read(str(asked.get("value")), Layer)).layers
            elif "remove" in asked:
                first, last = (as_whole(at, "remove", 0, len(layers) - 1) for at in asked["remove"])
                del layers[first : last + 1]
            formula = Chain(tuple(layers))
            if path:
                formula = edited(formula, path, asked.get("value"))
        else:
            formula = edited(formula, path, asked.get("value"))
        self._take(self.choices.changed({part: repr(formula)}), [part] * (part == "cost"))

    def run(self, asked: dict[str, Any], content: bytes = b"") -> None:
        """Run on, as far as is asked if that is said; who is already there is looked at."""
        steps, until = self._known().steps, asked.get("until")
        self._until = None if until is None else max(as_whole(until, "until", 0, steps + FARTHEST), steps)
        self.running, self._due = True, time.perf_counter()
        self._looked = (time.perf_counter(), steps)
        self.send({"kind": "runs", "running": True, "until": self._until})

    def pause(self, asked: dict[str, Any], content: bytes = b"") -> None:
        """Stand still."""
        self.running = False
        self._look()
        self.send({"kind": "runs", "running": False})

    def step(self, asked: dict[str, Any], content: bytes = b"") -> None:
        """One step, or one epoch's end."""
        training = self._known()
        self.running = False
        training.advance(training.plan.steps if asked.get("epoch") else 1)
        self._look()
        self.send({"kind": "runs", "running": False})

    def look(self, asked: dict[str, Any], content: bytes = b"") -> None:
        """Follow another of the images to test."""
        found = self.examples
        if found is None or self.image is None:
            raise ChainruleError("Only images are looked at one by one.")
        self.row = as_whole(asked.get("row"), "The image", 0, len(found.test[0]) - 1)
        self._scene = scene(self._known().plan, found, True, self.row)
        self.send(gallery_frame(found, self.image, self.row))
        self._look()

    def upload(self, asked: dict[str, Any], content: bytes = b"") -> None:
        """Take a file, which is kept in memory only, and learn from it."""
        table = given(asked, content)
        before = self._table
        self._table = table
        try:
            changes = asked.get("choices") or {}
            self._take(self.choices.changed({**changes, "data": table.name}), changes)
        except ChainruleError:
            self._table = before
            raise

    def _known(self) -> Training:
        if self.training is None:
            raise ChainruleError("Nothing is chosen yet.")
        return self.training

    def _take(self, choices: Choices, said: Collection[str], anew: bool = False) -> None:
        """Take choices; what was not said now gives way: the network's end, and then the cost, where they don't fit."""
        found = self.examples
        if found is None or _of_data(choices) != _of_data(self.choices):
            found = examples(choices, self._table)
        ways, problem = [choices], None
        if "network" not in said and (bare := without_end(choices.network)) is not None:
            ways.append(choices.changed({"network": bare}))
            ways += [ways[-1].changed({"cost": ""})] * ("cost" not in said and choices.cost != "")
        if "network" not in said and found is not self.examples:  # no click on a layer may cost all the others
            usual = choices.changed({"network": suited(found), "cost": choices.cost if "cost" in said else ""})
            other = self.examples is not None and (self.examples.pixels is None) != (found.pixels is None)
            ways = [usual, *ways] if other else [*ways, usual]
        for way in ways:
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                try:
                    training, chosen = self._trained(way, found, anew)
                except ChainruleError as error:
                    problem = problem or error
                    continue
            notes = [str(each.message) for each in caught if issubclass(each.category, UserWarning)]
            return self._enter(training, chosen, found, notes)
        raise problem or ChainruleError("Nothing fits.")

    def _trained(self, choices: Choices, found: Examples, anew: bool) -> tuple[Training, Choices]:
        """The training of choices: this one with other numbers, or a new one."""
        formulas = {name: read(text, FAMILIES[name]) for name in FAMILIES if (text := getattr(choices, name))}
        for formula in formulas.values():
            check_single(formula, "Give one number.")
        for name, example in (("network", "Dense(4) >> Tanh()"), ("optimizer", "Adam()")):
            if name not in formulas:
                raise ChainruleError(f"Expected {name} in notation, such as {example}, got nothing.")
        if (cost := formulas.get("cost")) is not None:
            check_cost(cost, choices.target or "the target", found.classes is not None)
        network = as_chain(formulas["network"])
        if len(network.layers) > DEEPEST or numbers(network, found.shape) > MOST:
            raise ChainruleError(f"The page takes {DEEPEST} layers and {MOST:,} parameters at most. Choose fewer.")
        (x, y), same = found.train, found is self.examples
        given = {
            "network": network,
            "cost": formulas.get("cost"),
            "optimizer": formulas["optimizer"],
            "regularizer": formulas.get("regularizer"),
            "batch_size": "all" if formulas["optimizer"].whole_batch else min(choices.batch, len(x)),
            "epochs": choices.epochs,
            "seed": choices.seed,
        }
        if same and self.training is not None and not anew:
            training = self.training.changed(**given)
        else:
            training = Training(
                given.pop("network"),
                x,
                y,
                validation=found.test,
                classes=found.classes,
                preprocessor=found.preprocessor,
                **given,
            )
        return training, choices.changed({"network": repr(training.plan.network)})

    def _enter(self, training: Training, choices: Choices, found: Examples, notes: list[str]) -> None:
        """Go on with a training, and say what was chosen."""
        new, other = training is not self.training, found is not self.examples
        self.row = 0 if other else self.row
        self.training, self.choices, self.examples = training, choices, found
        self._count += new
        if new:
            self._quantum, self._pace, self._looked = 1, 0.0, (time.perf_counter(), 0)
            self.running &= self._until is None  # a step that is to be reached is one of the training before
        plan = training.plan
        image, before = found.image(plan.network), self.image
        self.image = image
        if new or other:
            self._scene = scene(plan, found, image is not None, self.row)
        said = {
            "kind": "chosen",
            "training": self._count,
            "choices": choices.plain(),
            "new": new,
            "running": self.running,
            "notes": notes,
            "cost": described(plan.cost),
            "optimizer": described(plan.optimizer),
            "regularizer": plan.regularizer and described(plan.regularizer),
            "network": [*map(described, plan.network.layers)],
            "columns": [column._asdict() for column in columns(plan.network, plan.shape)],
            "parameters": numbers(plan.network, plan.shape),
            "steps": plan.steps,
        }
        self.send(said)
        if other or image != before:
            self.send(points_frame(found, image))
            if image:
                self.send(gallery_frame(found, image, self.row))
        self._look()

    def _warm_up(self) -> None:
        """Compile the steps while nothing else is asked."""
        if self._tasks.empty() and self.training is not None:
            self.training.warm_up()

    def _go_on(self) -> None:
        """The steps between two looks at what is to be done: as many as take so long, or as are due."""
        training, began = self._known(), time.perf_counter()
        pace = self.choices.pace
        most = max(round(pace * QUANTUM), 1) if pace else self._quantum
        left = most if self._until is None else self._until - training.steps
        done = training.advance(min(most, left)) if left else 0
        seconds = time.perf_counter() - began
        if pace:
            self._due = max(self._due + done / pace, began)
        elif seconds < QUANTUM and done == most:
            self._quantum = most * 2
        elif seconds > 3 * QUANTUM:
            self._quantum = max(most // 2, 1)
        since, steps = self._looked
        if began - since > 0.5:
            self._pace = (training.steps - steps) / (began - since)
            self._looked = (began, training.steps)
        if self._until is None:
            self._look()
        elif training.steps >= self._until:
            self.running = False
            self._look()
            self.send({"kind": "runs", "running": False})

    def _look(self) -> None:
        """Let the training be drawn as it stands."""
        if (training := self.training) is None or self._scene is None:
            return
        plan, state, rows = training.plan, training.state, len(training.history)
        under_way = {} if self.running else training.under_way
        pace = self._pace if self.running else 0.0
        self.moment = Moment(
            plan, state, self._scene, training.steps, training.epoch, rows, under_way, self._count, pace
        )
        self.fresh()


def _of_data(choices: Choices) -> tuple[Any, ...]:
    """The choices that decide the examples."""
    return tuple(getattr(choices, name) for name in OF_DATA)


def without_end(network: str) -> str | None:
    """The notation of a network without its last Dense and all behind it; None where nothing would be left.

    >>> without_end("Dense(4) >> Tanh() >> Dense(2) >> Softmax()")
    'Dense(4) >> Tanh()'
    """
    try:
        layers = as_chain(read(network, Layer)).layers
    except ChainruleError:
        return None
    last = max((place for place, layer in enumerate(layers) if isinstance(layer, Dense)), default=0)
    return repr(Chain(layers[:last])) if last else "Identity()"


ACTIONS: dict[str, Callable[[Session, dict[str, Any], bytes], None]] = {
    "choose": Session.choose,
    "edit": Session.edit,
    "run": Session.run,
    "pause": Session.pause,
    "step": Session.step,
    "upload": Session.upload,
    "look": Session.look,
}
