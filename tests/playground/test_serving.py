"""The server: who may come in, what goes through its socket, and what is said of what does not fit."""

import gc
import io
import json
import queue
import time
import weakref
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import numpy as np
import pytest

pytest.importorskip("starlette", reason="pip install 'chainrule[playground]'")
from PIL import Image
from starlette.testclient import TestClient

from chainrule import load
from chainrule.arrays.memory import give_back
from chainrule.errors import ChainruleError
from chainrule.model.landscape import Landscape
from chainrule.pictures.race import path
from chainrule.playground import racing, serving
from chainrule.playground.choices import Choices
from chainrule.playground.examples import examples, given
from chainrule.playground.frames import framed, unframed
from chainrule.playground.serving import HEADERS, application
from chainrule.playground.taking import command, program

TOKEN = "secret"
LIMIT = 120  # seconds that a message may take
SMALL = {"network": "Dense(3) >> Tanh()", "rows": 40, "batch": 14, "optimizer": "Momentum(0.1)"}


@pytest.fixture(scope="module")
def client():
    with TestClient(application(TOKEN), base_url="http://127.0.0.1:8765") as client:
        yield client


@contextmanager
def tab(client, token=TOKEN, origin="http://127.0.0.1:8765"):
    with client.websocket_connect(f"ws://127.0.0.1:8765/socket?token={token}", headers={"origin": origin}) as socket:
        yield Tab(socket)


class Tab:
    """A page as the server knows it."""

    def __init__(self, socket):
        self.socket, self.reader = socket, ThreadPoolExecutor(1)

    def receive(self, end):
        """The next message, by some time at the latest."""
        return self.reader.submit(self.socket.receive).result(timeout=max(end - time.monotonic(), 0))

    def send(self, **asked):
        self.socket.send_text(json.dumps(asked))

    def closed(self):
        """With which code the server closes the socket before it tells anything."""
        message = self.receive(time.monotonic() + LIMIT)
        assert message["type"] == "websocket.close"
        return message["code"]

    def get(self, kind, limit=LIMIT):
        """The next message of a kind, within a time; each picture on the way is answered as drawn."""
        end = time.monotonic() + limit
        while True:
            message = self.receive(end)
            if message.get("bytes") is None:
                found = json.loads(message["text"])
            else:
                found = unframed(message["bytes"])[0] | {"frame": message["bytes"]}
            if found["kind"] == "picture":
                self.send(do="drawn")
            if found["kind"] == kind:
                self.last = found
                return found
            assert found["kind"] != "refused", found["message"]


def array(message, name):
    """An array of a frame."""
    kind, shape, offset = message["arrays"][name]
    content, kind = unframed(message["frame"])[1], {"f4": np.float32, "u1": np.uint8}[kind]
    return np.frombuffer(content, kind, int(np.prod(shape)), offset).reshape(shape)


def test_the_page_and_its_files(client):
    page = client.get("/", params={"token": TOKEN})
    assert "Chainrule playground" in page.text
    assert {name: page.headers[name] for name in HEADERS} == HEADERS
    for name, kind in (("app.js", "javascript"), ("style.css", "css"), ("icon.svg", "svg")):
        assert kind in client.get(f"/{name}").headers["content-type"]
    sources = [path.read_text() for path in serving.STATIC.iterdir()]
    links = [
        text for text in sources for scheme in ("https:", "http://") if scheme in text.replace("http://www.w3.org", "")
    ]
    assert not links  # nothing comes from the network


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/", {}, 403),
        ("/?token=other", {}, 403),
        ("/?token=secret", {"host": "evil.example"}, 400),
        ("/..%2fserving.py", {}, 404),
        ("/serving.py", {}, 404),
    ],
)
def test_who_may_not_come_in(client, path, headers, status):
    assert client.get(path, headers=headers).status_code == status


@pytest.mark.parametrize(
    ("token", "origin"), [("other", "http://127.0.0.1:8765"), (TOKEN, "http://evil.example"), (TOKEN, "null")]
)
def test_a_socket_from_elsewhere_is_closed(client, token, origin):
    with tab(client, token, origin) as page:
        assert page.closed() == 4403


def test_only_so_many_tabs(client, monkeypatch):
    monkeypatch.setattr(serving, "TABS", 1)
    with tab(client) as one:
        one.send(do="offer", ask=1)
        one.get("offered")
        with tab(client) as other:
            assert other.closed() == 4429


def test_a_training_is_seen_from_its_beginning_to_its_end(client):
    with tab(client) as page:
        page.send(do="choose", choices=SMALL)
        chosen = page.get("chosen")
        assert chosen["choices"]["network"] == "Dense(3) >> Tanh() >> Dense(2) >> Softmax()"
        assert chosen["notes"] == ["The network ends in Tanh(): Dense(2) >> Softmax() is added, for 2 classes."]
        assert [column["units"] for column in chosen["columns"]] == [3, 2]
        examples = page.get("examples")
        assert examples["rows"] == {"train": 28, "test": 12}
        assert array(examples, "train_x").shape == (28, 2)
        first = page.get("picture")
        assert (first["steps"], first["rows"]) == (0, [])
        assert array(first, "map0").shape == (3, 32, 32)
        assert array(first, "map1").sum(axis=0).min() >= 254  # probabilities of two classes add up to 1
        assert first["layers"] == []  # it does not wait for their figures
        assert page.get("picture")["layers"][1]["weights"] == 0
        page.send(do="step")
        stepped = page.get("picture")
        assert (stepped["steps"], stepped["epoch"]) == (1, 1)
        assert stepped["under_way"]["cost"] > 0
        assert np.abs(array(stepped, "weights0") - array(first, "weights0")).max() > 0
        page.send(do="step", epoch=True)
        ended = page.get("picture")
        assert ended["steps"] == 2
        assert [*ended["rows"][0]] == ["epoch", "cost", "accuracy", "validation_cost", "validation_accuracy"]
        page.send(do="run")
        while (seen := page.get("picture"))["epoch"] < 12:
            assert seen["running"]
        page.send(do="choose", choices={"optimizer": "Momentum(0.01)"})  # another number: it goes on
        assert page.get("chosen")["new"] is False
        page.send(do="pause")
        assert page.get("runs")["running"] is False
        page.send(do="choose", choices={"network": "Dense(4) >> Tanh()"})
        assert page.get("chosen")["new"] is True


def chosen(**choices):
    return {"do": "choose", "choices": choices}


def edited(**asked):
    return {"do": "edit", "part": "network"} | asked


REFUSED = [
    (chosen(network="Dens(3)"), "network", "Unknown formula 'Dens' in \"Dens(3)\". Did you mean Dense?"),
    (chosen(rows=1e9), "rows", "rows must be a whole number from 10 to 5000, got 1000000000.0."),
    (chosen(depth=1), "depth", "There is no choice 'depth'. They are data,"),
    (
        chosen(network="Dense(9000) >> Dense(9000)"),
        "network",
        "The page takes 40 layers and 200,000 parameters at most. Choose fewer.",
    ),
    (
        chosen(network="Dense(3, kernel_initializer=Pretrained('/etc/passwd'))"),
        "network",
        "Pretrained reads a file of this machine, which no page may. Run: chainrule train.",
    ),
    (chosen(data="halves", curve="open(x)"), "data", 'Can\'t read the curve "open(x)".'),
    (
        chosen(data="mine.csv"),
        "data",
        "The file 'mine.csv' is not here: pages keep files in memory only. Give it again.",
    ),
    (chosen(cost="Quantile(0.5)"), "cost", "cost: Quantile(tau=0.5) is for values, but the target is a class."),
    (edited(path=[0, "units"], value=0), "network", "Dense: units must be a whole number >= 1, got 0."),
    (edited(path=[1], value="MaxPool2D(2)"), "network", "MaxPool2D(size=2): expected images"),
    (edited(path=[7], value="Tanh()"), "network", "Dense(3) >> Tanh() >> Dense(2) >> Softmax() has no field '7'."),
    (edited(insert="a", value="Tanh()"), "network", "insert must be a whole number"),
    (edited(part="optimizer", path=["learning_rate", "x"], value=1), "optimizer", "0.1 has no field 'x'."),
    (edited(part="optimizer", path=["learning_rate"], value="Tanh()"), "optimizer", "Momentum: learning_rate must be"),
    ({"do": "format"}, "format", "There is nothing to do by 'format'."),
    ({"do": "show", "notation": "Addam()"}, "show", "Unknown formula 'Addam'"),
]


def test_what_is_wrong_is_said_and_changes_nothing(client):
    with tab(client) as page:
        page.send(do="choose", choices=SMALL)
        page.get("picture")
        for asked, field, message in REFUSED:
            page.send(**asked)
            refused = page.get("refused")
            assert (refused["field"], refused["message"][: len(message)]) == (field, message)
        page.socket.send_text("[1]")
        assert page.get("refused")["message"].startswith("Expected a message in JSON")
        page.socket.send_bytes(b"\xff\xff\xff\xff{")
        assert page.get("refused")["message"].startswith("Expected a message: the length of a header")
        page.send(do="choose", choices={})
        assert page.get("chosen")["choices"]["network"] == "Dense(3) >> Tanh() >> Dense(2) >> Softmax()"


def test_a_training_that_diverges_stands_still_and_says_why(client):
    with tab(client) as page:
        page.send(
            do="choose",
            choices={**SMALL, "data": "hills", "network": "Dense(3) >> ReLU()", "optimizer": "Momentum(1e20)"},
        )
        page.get("chosen")
        page.send(do="run")
        assert page.get("diverged")["message"].startswith("The cost became")
        page.send(do="choose", choices={"optimizer": "Momentum(0.01)"}, anew=True)
        assert page.get("chosen")["new"]


BENT = "Dense(5) >> ELU(alpha=0.5) >> Dense(2) >> Softmax()"


CLICKS = [
    (edited(path=[0, "units"], value=5), "Dense(5) >> Tanh() >> Dense(2) >> Softmax()"),
    (edited(path=[1], value="ELU()"), "Dense(5) >> ELU(alpha=1.0) >> Dense(2) >> Softmax()"),
    (edited(path=[1, "alpha"], value=0.5), BENT),
    (edited(insert=0, value="Dropout(0.25)"), f"Dropout(rate=0.25) >> {BENT}"),
    (edited(remove=[0, 0]), BENT),
    (chosen(cost="Hinge()"), BENT),
    (chosen(data="clusters"), "Dense(5) >> ELU(alpha=0.5) >> Dense(3)"),  # three classes: another end
    (chosen(data="line"), "Dense(5) >> ELU(alpha=0.5) >> Dense(1)"),
]


def test_clicks_change_the_notation(client):
    with tab(client) as page:
        page.send(do="choose", choices=SMALL)
        page.get("chosen")
        for asked, _ in CLICKS:
            page.send(**asked)
        for _, network in CLICKS:
            assert page.get("chosen")["choices"]["network"] == network
        assert page.last["choices"]["cost"] == ""  # as Hinge is for classes
        while "line1" not in (seen := page.get("picture"))["arrays"]:
            pass
        assert array(seen, "line1").shape == (1, 200)


def test_a_file_is_taken_into_memory(client):
    rows = "\n".join(f"{place % 7},{place % 5},{'yes' if place % 7 > 3 else 'no'}" for place in range(60))
    with tab(client) as page:
        page.send(do="choose", choices=SMALL)
        page.get("chosen")
        page.socket.send_bytes(framed({"do": "upload", "name": "mine.csv"}, content=f"a,b,found\n{rows}\n".encode()))
        assert page.get("chosen")["choices"]["data"] == "mine.csv"
        examples = page.get("examples")
        assert (examples["classes"], examples["inputs"]) == (["no", "yes"], ["a", "b"])
        assert not examples["resized"]
        assert not examples["filled"]
        content = f"a,b,found\n,,yes\n{rows}\n".encode()
        page.socket.send_bytes(framed({"do": "upload", "name": "blanks.csv"}, content=content))
        assert page.get("examples")["filled"]
        page.send(do="take")
        assert " blanks.csv --missing median --network " in page.get("taken")["command"]
        page.socket.send_bytes(framed({"do": "upload", "name": "empty.csv"}, content=b""))
        assert page.get("refused")["message"].startswith("empty.csv: ")


def test_columns_of_a_table_are_chosen(client):
    rows = "\n".join(f"{place % 7},{place % 5},{place % 3},{'yes' if place % 7 > 3 else 'no'}" for place in range(60))
    content = f"a,b,c,found\n{rows}\n".encode()
    with tab(client) as page:
        choices = SMALL | {"across": "c", "drop": "b"}
        page.socket.send_bytes(framed({"do": "upload", "name": "mine.csv", "choices": choices}, content=content))
        assert page.get("chosen")["choices"]["across"] == "c"
        seen = page.get("examples")
        assert (seen["inputs"], seen["axes"], seen["target"]) == (["a", "c"], [1, 0], "found")
        page.send(do="choose", choices={"drop": "", "up": "a"})
        seen = page.get("examples")
        assert (seen["inputs"], seen["axes"], seen["table"]) == (["a", "b", "c"], [1, 0], ["a", "b", "c", "found"])
        page.send(do="choose", choices={"target": "a"})
        assert page.get("examples")["target"] == "a"
        page.send(do="choose", choices={"across": "d"})
        assert page.get("refused")["message"].startswith("There is no input 'd' for an axis. They are b")


def png(value):
    file = io.BytesIO()
    Image.fromarray(np.full((4, 4), value, np.uint8)).save(file, "PNG")
    return file.getvalue()


def test_images_and_what_kernels_see(client):
    with tab(client) as page:
        page.send(do="choose", choices={"data": "digits", "batch": 64, "network": "Conv2D(3, 3) >> Flatten()"})
        columns = page.get("chosen")["columns"]
        assert [column["kernels"] for column in columns] == [[1, 3, 3], None, [3, 6, 6]]
        assert [column["units"] for column in columns] == [3, 0, 10]
        assert page.get("examples")["shape"] == [8, 8, 1]
        assert array(page.get("gallery"), "images").shape == (24, 8, 8, 1)
        seen = page.get("picture")
        assert array(seen, "map0").shape == (3, 6, 6)
        assert array(seen, "kernels0").shape == (1, 3, 3, 3)
        answers = array(seen, "answers")
        np.testing.assert_allclose(answers.sum(axis=1), np.ones(25), rtol=1e-5)
        np.testing.assert_array_equal(answers[0], answers[1])  # the one that is followed is one of them
        page.send(do="explain", row=2, units={"0": [0, 1, 2]})
        explained = page.get("explained")
        conv, flat, dense, _ = explained["layers"]
        assert array(explained, "image").shape == (1, 8, 8, 1)
        assert array(explained, "map0").shape == (1, 6, 6)
        assert (conv["unit"], flat["unit"]) == ({"at": [0, 1, 2], "of": 0, "shape": [6, 6, 3]}, None)
        assert conv["window"]["value"] == pytest.approx(flat["inputs"][5], rel=1e-5)  # (0 · 6 + 1) · 3 + 2
        back = dense["more"]["below"][5] + np.dot(dense["parameters"]["kernel"][5], dense["above"])
        np.testing.assert_allclose([conv["window"]["delta"], flat["below"][5]], back, rtol=1e-4)
        summed = np.array(dense["inputs"]) @ dense["parameters"]["kernel"] + dense["parameters"]["bias"]
        np.testing.assert_allclose(summed + dense["more"]["outputs"], dense["outputs"], rtol=1e-4, atol=1e-6)
        assert dense["more"]["inputs"] == 96
        for unit in ([0, 6, 0], "all"):
            page.send(do="explain", units={"0": unit})
            assert "must be a whole number from 0 to 5, got " in page.get("refused")["message"]
        page.send(do="look", row=30)
        assert page.get("gallery")["begin"] == 24
        page.send(do="choose", choices={"data": "moons", "rows": 20})
        assert page.get("chosen")["choices"]["network"].startswith("Dense(6)")  # as kernels see no points
    grey = np.random.default_rng(0).integers(0, 256, (30, 64))
    rows = "".join(f"{','.join(map(str, row))},{'ab'[place % 2]}\n" for place, row in enumerate(grey))
    content = f"{','.join(f'p{place}' for place in range(64))},kind\n{rows}".encode()
    with tab(client) as page:  # a row of a table is an image, too
        page.send(do="choose", choices=SMALL)
        page.get("chosen")
        page.socket.send_bytes(framed({"do": "upload", "name": "mine.csv"}, content=content))
        assert page.get("chosen")["choices"]["network"].startswith("Reshape((8, 8, 1)) >> Conv2D(8, 3")
        assert page.get("examples")["shape"] == [8, 8, 1]
        seen = array(page.get("gallery"), "images")
        assert {(grey.reshape(-1, 8, 8, 1) == image).all(axis=(1, 2, 3)).sum() for image in seen} == {1}
        while "answers" not in (picture := page.get("picture"))["arrays"]:
            pass
        assert array(picture, "map2").shape == (8, 4, 4)
        page.send(do="explain")
        assert (grey.reshape(-1, 8, 8, 1) == array(page.get("explained"), "image")).all(axis=(1, 2, 3)).sum() == 1
        page.send(do="choose", choices={"network": "Dense(2)"})
        assert page.get("examples")["shape"] == [64]
    files = [(f"{name}/{place}.png", png(40 * place)) for name in ("a", "b") for place in range(5)]
    said = {"name": "mine", "files": [[name, len(content)] for name, content in files]}
    table = given(said, b"".join(content for _, content in files))
    assert (table.name, table["image"].shape) == ("mine/", (10, 32, 32, 1))
    assert examples(Choices(data="mine/"), table).how == {"size": "32x32"}
    taken = [each(Choices(data="mine/"), 1, {"size": "32x32"}) for each in (command, program)]
    assert taken[0].startswith("chainrule train mine/ --size 32x32 --network ")
    assert "runs.plan('mine/', size='32x32', test=0.3" in taken[1]
    assert [*table["target"][::5]] == ["a", "b"]
    with pytest.raises(ChainruleError, match="Expected a folder's files by their paths and lengths"):
        given({"name": "mine", "files": [["a.png"]]}, b"")


def test_waiting_has_an_end(client):
    with tab(client) as page:
        page.send(do="choose", choices=SMALL)
        page.get("chosen")
        page.send(do="run")  # pictures without end
        with pytest.raises(TimeoutError):
            page.get("taken", limit=0.5)


def test_a_run_goes_as_far_as_it_is_told(client):
    with tab(client) as page:
        page.send(do="choose", choices=SMALL)
        page.get("chosen")
        page.send(do="run", until=5)
        while (seen := page.get("picture"))["steps"] == 0:
            pass
        assert (seen["steps"], seen["running"]) == (5, False)  # none is seen on the way
        page.send(do="run", until=2)  # where it has been
        while (seen := page.get("picture"))["running"]:
            pass
        assert seen["steps"] == 5
        page.send(do="run", until=-1)
        assert page.get("refused")["message"].startswith("until must be a whole number from 0 to")


def test_step_by_step_in_numbers(client):
    with tab(client) as page:
        page.send(do="choose", choices=SMALL)
        page.get("picture")
        page.send(do="explain", row=3)
        found = page.get("explained")
        dense, tanh, last, softmax = found["layers"]
        x = np.array(dense["inputs"])
        kernel, bias = (np.array(dense["parameters"][name]) for name in ("kernel", "bias"))
        z, W, b = x @ kernel + bias, np.array(last["parameters"]["kernel"]), np.array(last["parameters"]["bias"])
        h = np.tanh(z)
        a = np.exp(h @ W + b) / np.exp(h @ W + b).sum()
        of_z = a - np.array(found["expected"])
        of_h = W @ of_z
        for mine, its in (
            (dense["outputs"], z),
            (tanh["outputs"], h),
            (tanh["slope"], 1 - h**2),
            (softmax["outputs"], a),
            (softmax["below"], of_z),
            (last["below"], of_h),
            (tanh["below"], of_h * (1 - h**2)),
            (last["gradients"]["kernel"], np.outer(h, of_z)),
            (dense["gradients"]["kernel"], np.outer(x, of_h * (1 - h**2))),
            (dense["gradients"]["bias"], of_h * (1 - h**2)),
            (found["cost"]["value"], -np.log(a @ np.array(found["expected"]))),
        ):
            np.testing.assert_allclose(mine, its, rtol=1e-4, atol=1e-6)
        assert softmax["above"] is None
        assert found["cost"]["derivatives"][0]["remark"] == "behind Softmax"
        page.send(do="explain", row=99)
        assert page.get("refused")["message"] == "The example must be a whole number from 0 to 27, got 99."


def test_what_is_taken_along_trains_the_same(client, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with tab(client) as page:
        page.send(do="choose", choices=SMALL)
        for _ in range(2):
            page.send(do="step", epoch=True)
        for _ in range(2):
            page.get("runs")
        page.send(do="take")
        taken = page.get("taken")
        page.send(do="file", what="model")
        model = page.get("file")
        page.send(do="file", what="points")
        points = page.get("file")
    assert "--network 'Dense(3) >> Tanh() >> Dense(2) >> Softmax()'" in taken["command"]
    assert unframed(points["frame"])[1].count(b"\n") == 41
    exec(taken["program"], {})  # it trains and saves
    (tmp_path / model["name"]).with_stem("page").write_bytes(unframed(model["frame"])[1])
    mine, its = load("page.safetensors"), load("model.safetensors")
    assert mine.history.rows == its.history.rows
    for one, other in zip(mine.parameters, its.parameters, strict=True):
        for name in one:
            np.testing.assert_array_equal(one[name], other[name])


def test_a_race(client):
    with tab(client) as page:
        asked = {"do": "race", "surface": "ravine", "start": [-4, 1], "steps": 20}
        page.send(**asked, optimizers=["GradientDescent(0.5)", "Adam()"])
        found = page.get("raced")
        way, ground = array(found, "path0"), array(found, "ground")
        np.testing.assert_allclose(way[0], [-4, 1])
        np.testing.assert_allclose(way[1], [-4 * (1 - 0.5 / 10), 0], atol=1e-6)  # against (x / 10, 2 y)
        assert [racer["chosen"] for racer in found["racers"]] == [False, True]
        [rate, *_] = found["racers"][1]["fields"]
        assert found["racers"][1]["label"] == f"Adam, η = {rate['value']:g}"  # the one that it runs with
        assert (ground.shape, ground.min(), ground.max()) == ((96, 96), 0, 1)
        for change, message in (
            ({"surface": "moon"}, "There is no surface 'moon'. They are beale, rosenbrock, saddle, ravine, your"),
            ({"start": [99, 0]}, "The start must be a place on the surface, got [99, 0]."),
            ({"optimizers": ["Adam()"] * 9}, "8 optimizers race at most. Take some away."),
            ({"optimizers": ["Tanh()"]}, "Expected"),
        ):
            page.send(**{**asked, "optimizers": [], **change})
            assert page.get("refused")["message"].startswith(message)
        page.send(do="choose", choices=SMALL)
        page.get("picture")
        page.send(**asked | {"surface": "your network", "start": [0.5, 0.5]}, optimizers=["Momentum(0.1)"])
        found = page.get("raced")
        np.testing.assert_allclose(array(found, "path0")[0], [0.5, 0.5])
        assert (array(found, "ground").min(), array(found, "ground").max()) == (0, 1)
        page.send(do="edited", notation="MaxPool2D()", path=["stride"], value="(1, 2)", ask=1)
        assert page.get("edited")["formula"]["notation"] == "MaxPool2D(size=2, stride=(1, 2))"
        page.send(do="edited", notation="Adam()", path=["beta1"], value=0.5, ask=2)
        assert page.get("edited")["formula"]["notation"] == "Adam(learning_rate=0.001, beta1=0.5)"


def test_no_racer_ends_below_the_lowest_point(client):
    with tab(client) as page:
        page.send(do="choose", choices=SMALL)
        page.get("picture")
        page.send(do="race", surface="your network", optimizers=["Adam(0.01)", "Momentum(0.1)"], steps=400)
        found = page.get("raced")
        above = [racer["reached"] for racer in found["racers"]]
        # one of them is lower than all places of the picture, at its last step or a rounding before it
        assert 0 <= min(above) < 1e-6 < max(above)


def test_work_on_a_race_ends_where_nobody_waits_for_it(client, monkeypatch):
    asked, ended = queue.SimpleQueue(), queue.SimpleQueue()

    def slow(optimizer, *of):
        asked.put(optimizer)
        assert ended.get(timeout=20)
        return path(optimizer, *of)

    monkeypatch.setattr(racing, "path", slow)
    costs = []
    monkeypatch.setattr(Landscape, "__call__", lambda self, x, y: costs.append(x) or x + y)
    with tab(client) as page:
        page.send(do="race", ask=1, surface="ravine", optimizers=["Adam()", "Lion()"], steps=5)
        asked.get(timeout=20)
        page.send(do="forget", ask=1)
        page.send(do="edited", ask=2, notation="Adam()")  # it is answered behind what was forgotten
        page.get("edited")
        ended.put(True)
        assert page.get("refused")["message"] == "Nobody waits for this answer any more."
        assert asked.empty()  # the second one does not begin
        page.send(do="choose", choices=SMALL)
        page.get("picture")
        for anew in (True, False):
            page.send(do="race", surface="your network", optimizers=[], anew=anew)
            assert np.ptp(array(page.get("raced"), "ground")) == 1
        assert sum(np.size(x) for x in costs if np.ndim(x) == 2) == 96 * 96  # both races, once


def test_a_formula_is_shown(client):
    with tab(client) as page:
        page.send(do="show", notation="ELU(0.5)", ask=7)
        found = page.get("page")
        assert (found["ask"], found["name"], found["family"]) == (7, "ELU", "activations")
        assert found["equations"][0]["mathml"].startswith("<math")
        assert [*found["curves"]] == ["f(x)", "f′(x)"]
        for notation, names in (
            ("CrossEntropy()", ["J(a), E = 1", "J(a), E = 0"]),
            ("L1(0.1)", ["R(w)"]),
            ("Adam()", []),
        ):
            page.send(do="show", notation=notation)
            assert [*page.get("page")["curves"]] == names


def test_two_tabs_are_two_sessions_that_end_with_them(client, monkeypatch):
    given_back = queue.SimpleQueue()
    monkeypatch.setattr(serving, "give_back", lambda: given_back.put(give_back()))
    with tab(client) as one, tab(client) as other:
        one.send(do="choose", choices=SMALL)
        other.send(do="choose", choices=SMALL | {"network": "Dense(2) >> Tanh()"})
        assert one.get("chosen")["columns"][0]["units"] == 3
        assert other.get("chosen")["columns"][0]["units"] == 2
        for page in (one, other):
            page.get("picture")
            page.send(do="explain")
            page.get("explained")
        seen = [weakref.ref(session) for session in client.app.state.sessions]
        programs = [weakref.ref(last) for session in seen for last in session().programs.values()]
        assert len(seen) == 2 < len(programs)
    for _ in seen:
        given_back.get(timeout=20)
    assert not client.app.state.sessions
    end = time.monotonic() + 20
    while (left := [each for each in (*seen, *programs) if each()]) and time.monotonic() < end:
        time.sleep(0.05)
        gc.collect()
    assert not left  # nothing holds them, nor what was compiled for them
