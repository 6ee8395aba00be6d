"""The playground as one who looks at it: each view, what is typed and clicked, and for whom it is."""

import json
import re
import subprocess
import tarfile

import pytest
from playwright.sync_api import expect

expect.set_options(timeout=20_000)

SMALL = "rows=120&network=Dense(4)+>>+Tanh()"
SPIRALS = "data=spirals&noise=0.02&optimizer=Adam(0.02)&network=Dense(16)+>>+Tanh()+>>+Dense(16)+>>+Tanh()"


def opened(page, server, choices=SMALL):
    page.goto(f"{server.address}#{choices}")
    expect(page.locator("#view > *").first).to_be_visible()
    return page


def steps(page):
    return int(page.locator(".figure b").nth(1).inner_text().replace(",", ""))


def test_a_boundary_that_separates_the_spirals(page, server):
    opened(page, server, SPIRALS)
    page.get_by_role("button", name="Run", exact=True).click()
    expect(page.locator(".output h2 .muted").first).to_have_text(
        re.compile(r"test accuracy (1|0\.9[6-9]\d*)$"), timeout=60_000
    )
    page.get_by_role("button", name="Pause").click()
    expect(page.locator(".figure b").nth(2)).to_have_text("–")  # it stands still
    at = steps(page)
    page.get_by_role("button", name="One step").click()
    expect(page.locator(".figure b").nth(1)).to_have_text(f"{at + 1:,}")
    expect(page.get_by_role("img", name=re.compile("^The network's output for spirals"))).to_be_visible()


def test_notation_and_clicks_are_in_step(page, server):
    opened(page, server)
    notation = page.get_by_label("Network", exact=True)
    expect(notation).to_have_value("Dense(4) >> Tanh() >> Dense(2) >> Softmax()")
    notation.fill("Dense(4) >> Tanhh()")
    expect(page.locator("#notation-said")).to_contain_text("Did you mean Tanh?")
    notation.fill("Dense(5) >> ReLU()")
    expect(page.get_by_role("button", name="ReLU()")).to_be_visible()
    page.get_by_role("button", name="A unit more in column 1").click()
    expect(notation).to_have_value("Dense(6) >> ReLU() >> Dense(2) >> Softmax()")
    page.get_by_role("button", name="ReLU()").click()
    page.get_by_label("Layer 2", exact=True).select_option(label="ELU")
    expect(notation).to_have_value("Dense(6) >> ELU(alpha=1.0) >> Dense(2) >> Softmax()")
    expect(page.get_by_role("group", name="Layer 2: mathematics").locator("math").first).to_be_visible()
    page.get_by_label("Regulariser", exact=True).select_option(label="L1")
    expect(page.get_by_label("strength", exact=True)).to_be_visible()
    expect(page.get_by_role("img", name="The curve R(w)")).to_be_visible()
    expect(page.get_by_role("img", name="The curve J(a₁), E = (1, 0)")).to_be_visible()
    page.get_by_label("Optimizer", exact=True).select_option(label="ClipValue")
    expect(page.get_by_label("limit", exact=True)).to_be_visible()
    expect(page.get_by_label("Optimizer", exact=True)).to_have_value(re.compile("^ClipValue"))
    page.get_by_label("Optimizer", exact=True).select_option(label="Adam")
    page.get_by_label("Cost", exact=True).select_option(label="GaussianNLL")
    expect(page.get_by_text("GaussianNLL() is for values, but the target is a class.")).to_be_visible()
    expect(page.get_by_label("Cost", exact=True)).to_have_value(re.compile("^CategoricalCrossEntropy"))
    page.get_by_label("learning_rate: formula").select_option(label="CosineDecay")
    page.get_by_label("initial, as a number").fill("0.02")
    page.get_by_label("initial, as a number").press("Enter")
    expect(page).to_have_url(re.compile(r"CosineDecay%280.02%29"))
    page.get_by_role("button", name="line", exact=True).click()
    expect(notation).to_have_value("Dense(6) >> ELU(alpha=1.0) >> Dense(1)")
    page.get_by_label("curve of x").fill("open(x)")
    expect(page.locator(".data .said")).to_contain_text("Can't read the curve")


def test_the_focus_stays_and_what_is_refused_is_put_back(page, server):
    opened(page, server)
    more, less = (page.get_by_role("button", name=f"A unit {which} in column 1") for which in ("more", "less"))
    more.focus()
    for units in (5, 6):
        page.keyboard.press("Enter")
        expect(page.get_by_label("Network", exact=True)).to_have_value(re.compile(f"^Dense.{units}. "))
        expect(more).to_be_focused()
    less.focus()
    for units in range(5, 0, -1):
        page.keyboard.press("Enter")
        expect(page.get_by_label("Network", exact=True)).to_have_value(re.compile(f"^Dense.{units}. "))
    expect(less).to_be_disabled()
    expect(more).to_be_focused()  # beside it
    page.get_by_label("Optimizer", exact=True).focus()
    page.get_by_label("Optimizer", exact=True).select_option(label="Momentum")
    expect(page.get_by_label("momentum, as a number")).to_be_visible()
    expect(page.get_by_label("Optimizer", exact=True)).to_be_focused()
    page.get_by_role("button", name="Dense(1)").click()
    for label, before, typed, message in (
        ("noise", "0.1", "many", "noise must be a number from 0 to 2, got many."),
        ("noise", "0.1", "−9", "noise must be a number from 0 to 2, got -9."),
        ("momentum", "0.9", "1.5", "Momentum: momentum must be a number >= 0 and < 1, got 1.5."),
        ("momentum", "0.9", "a lot", "Momentum: momentum must be a number >= 0 and < 1, got 'a lot'."),
        ("units", "1", "0", "Dense: units must be a whole number >= 1, got 0."),
    ):
        box = page.get_by_label(f"{label}, as a number")
        box.fill(typed)
        box.press("Enter")
        expect(page.get_by_text(message)).to_be_visible()
        expect(box).to_have_value(before)
        box.fill("")
        box.press("Enter")
        expect(box).to_have_value(before)


def test_own_data_and_a_link_that_restores(page, server):
    opened(page, server)
    rows = "".join(f"{place % 7},{place % 5},{'yes' if place % 7 > 3 else 'no'}\n" for place in range(80))
    file = {"name": "mine.csv", "mimeType": "text/csv", "buffer": f"a,b,found\n{rows}".encode()}
    page.locator("input[type=file]").first.set_input_files(file)
    expect(page.locator(".data .said")).to_contain_text("mine.csv: 56 rows to train, 24 to test; 2 inputs, 2 classes.")
    page.get_by_text("columns that are used").click()
    boxes = [page.get_by_role("checkbox", name=name, exact=True) for name in "ab"]
    boxes[0].click()
    expect(page.get_by_role("img", name=re.compile("^A network of"))).to_be_visible()
    expect(page.locator(".data .said")).to_contain_text("; 1 input, 2 classes.")
    boxes[1].click()
    expect(page.locator(".data .said")).to_have_text(
        "mine.csv: no input columns are left beside the target 'found'. Drop fewer."
    )
    expect(boxes[1]).to_be_checked()  # as it stays in use
    rows = "".join(f"{'rgb'[place % 3]},{place % 5}\n" for place in range(80))
    file = {"name": "colours.csv", "mimeType": "text/csv", "buffer": f"colour,size\n{rows}".encode()}
    page.locator("input[type=file]").first.set_input_files(file)
    expect(page.locator(".data .said")).to_contain_text("colours.csv: ")
    diagram = page.locator(".diagram")
    box = diagram.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 6, box["y"] + box["height"] / 2)
    expect(diagram).to_have_attribute("title", "colour: g")
    page.get_by_label("A set that travels along").select_option("digits")
    expect(page.locator(".gallery button")).to_have_count(24)
    expect(page.get_by_role("img", name=re.compile("^The kernels of 8 units over 1 channels"))).to_be_visible()
    page.get_by_role("button", name="Step by step").click()
    follows = page.get_by_role("img", name="Layer 1: channel")
    follows.click(position={"x": 2, "y": 2})
    expect(page.get_by_role("spinbutton", name="row").first).to_have_value("1")
    expect(page.get_by_role("table", name="kernel").first.locator("td")).to_have_count(9)
    page.get_by_role("spinbutton", name="channel").first.fill("2")
    page.get_by_role("spinbutton", name="channel").first.press("Enter")
    expect(page.get_by_role("img", name="Layer 2: channel 2 of its outputs")).to_be_visible()  # the same output
    page.get_by_role("button", name="Learn").click()
    page.get_by_role("button", name="xor").click()
    page.get_by_label("seed").fill("7")
    page.get_by_label("seed").press("Enter")
    expect(page).to_have_url(re.compile("data=xor.*seed=7"))
    page.reload()
    expect(page.get_by_role("button", name="xor")).to_have_attribute("aria-pressed", "true")
    expect(page.get_by_label("seed")).to_have_value("7")
    page.goto("about:blank")
    opened(page, server, "data=xor&rows=120&network=Tanhh()")
    expect(page.get_by_role("button", name="xor")).to_have_attribute("aria-pressed", "true")
    expect(page.locator("#notation-said")).to_contain_text("Did you mean Tanh?")


def test_step_by_step_race_compare_and_take_along(page, server):
    opened(page, server)
    views = page.get_by_role("navigation")
    views.get_by_role("button", name="Step by step").click()
    expect(page.locator(".passage")).to_have_count(5)
    expect(page.locator(".passage .worked").first).to_contain_text("=")
    views.get_by_role("button", name="Race").click()
    expect(page.get_by_role("img", name=re.compile("^beale: .*Adam"))).to_be_visible()
    page.get_by_label("surface").select_option("saddle")
    expect(page.get_by_role("img", name=re.compile("^saddle: "))).to_be_visible()
    page.get_by_role("img", name=re.compile("^saddle: ")).click(position={"x": 100, "y": 100})
    views.get_by_role("button", name="Compare").click()
    expect(page.get_by_label("Network B")).to_have_value(re.compile("ReLU.*Softmax"))
    page.get_by_role("button", name="+ network").click()
    expect(page.get_by_label("Network C")).to_have_value(re.compile("Softmax"))
    expect(page).to_have_url(re.compile("network2=.*network3="))
    page.get_by_role("button", name="+ network").click()
    expect(page.get_by_label("Network D")).to_have_value(re.compile("Softmax"))
    tops = [each.bounding_box()["y"] for each in page.locator(".versus > *").all()]
    assert tops[0] == tops[1] < tops[2] == tops[3]  # two by two
    page.get_by_role("button", name="take D away").click()
    page.get_by_role("button", name="Run", exact=True).click()
    costs = re.compile(r"^Test cost over the epochs: A \d\S+, B \d\S+, C \d\S+$")
    expect(page.get_by_role("img", name=costs)).to_be_visible()
    page.get_by_role("button", name="Pause").click()
    seen = page.get_by_role("img", name=re.compile("^The network's output for moons, after"))
    expect(seen).to_have_count(3)
    page.wait_for_timeout(500)
    assert len({re.search("after .* steps", each.get_attribute("aria-label"))[0] for each in seen.all()}) == 1
    views.get_by_role("button", name="Take along").click()
    expect(page.get_by_label("Command line", exact=True)).to_contain_text("chainrule train moons.csv")
    with page.expect_download() as saved:
        page.get_by_role("button", name="Model (.safetensors)").click()
    assert saved.value.suggested_filename == "model.safetensors"


def test_a_click_counts_where_the_surface_is_the_one_that_is_chosen(page, server):
    sent = []
    page.on("websocket", lambda socket: socket.on("framesent", lambda frame: sent.append(frame)))

    def asked(what):
        return [json.loads(frame) for frame in sent if f'"do":"{what}"' in frame]

    opened(page, server, f"view=race&{SMALL}")
    views = page.get_by_role("navigation")
    expect(page.get_by_role("img", name=re.compile("^beale: "))).to_be_visible()
    page.get_by_label("surface").select_option("your network")
    page.locator(".ground").click(position={"x": 30, "y": 30})  # still on beale's
    expect(page.get_by_role("img", name=re.compile("^your network: "))).to_be_visible()
    assert [(each["surface"], each["start"]) for each in asked("race")] == [("beale", None), ("your network", None)]
    views.get_by_role("button", name="Learn").click()
    page.evaluate(
        """() => new Promise((done) => {
            const [race, learn] = ["race", "learn"].map((name) => document.querySelector(`[data-view=${name}]`));
            race.click();
            setTimeout(() => { learn.click(); done(); }, 121);  // as soon as it is asked
        })"""
    )
    page.wait_for_timeout(100)
    assert [each["ask"] for each in asked("forget")] == [asked("race")[-1]["ask"]]


def test_comparing_goes_on_with_what_was_learned(page, server):
    opened(page, server)
    views = page.get_by_role("navigation")
    epoch = page.get_by_role("button", name="One epoch")
    for _ in range(2):  # of 84 rows, 16 a step
        epoch.click()
    expect(page.locator(".figure b").nth(1)).to_have_text("12")
    views.get_by_role("button", name="Compare").click()
    seen = page.get_by_role("img", name="The network's output for moons, after 12 steps")
    expect(seen).to_have_count(2)  # who is new has caught up
    expect(page.get_by_role("button", name="Run", exact=True)).to_be_visible()
    views.get_by_role("button", name="Learn").click()
    page.get_by_role("button", name="Run", exact=True).click()
    views.get_by_role("button", name="Compare").click()
    page.wait_for_function("Number(document.querySelectorAll('.figure b')[1].textContent.replace(',', '')) > 100")
    page.get_by_role("button", name="Pause").click()  # it went on
    page.keyboard.press("r")
    expect(page.get_by_role("img", name="The network's output for moons, after 0 steps")).to_have_count(2)


@pytest.fixture(scope="session")
def axe(tmp_path_factory):
    """What looks for hindrances: axe-core, from npm."""
    folder = tmp_path_factory.mktemp("axe")
    try:
        subprocess.run(
            ["npm", "pack", "axe-core@4", "--silent"], cwd=folder, check=True, timeout=60, capture_output=True
        )
    except (OSError, subprocess.SubprocessError):
        pytest.skip("This test needs axe-core, which npm fetches.")
    with tarfile.open(next(folder.glob("*.tgz"))) as packed:
        return packed.extractfile("package/axe.min.js").read().decode()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_for_everyone(page, server, axe, scheme):
    page.emulate_media(color_scheme=scheme)
    opened(page, server)
    for view in ("Learn", "Step by step", "Race", "Compare", "Take along"):
        page.get_by_role("navigation").get_by_role("button", name=view).click()
        page.wait_for_timeout(1500)
        page.evaluate(axe)
        found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
        serious = [
            (each["id"], [node["target"] for node in each["nodes"]][:3])
            for each in found["violations"]
            if each["impact"] in ("serious", "critical")
        ]
        assert not serious, view
        page.set_viewport_size({"width": 360, "height": 740})
        assert page.evaluate("document.documentElement.scrollWidth") <= 360, view
        page.set_viewport_size({"width": 1280, "height": 900})


def test_two_tabs_and_a_server_that_is_gone_and_back(page, server):
    opened(page, server)
    other = opened(page.context.new_page(), server, "rows=50&network=Dense(2)")
    page.get_by_role("button", name="One epoch").click()
    expect(page.locator(".figure b").first).to_have_text("1")
    expect(other.locator(".figure b").first).to_have_text("0")
    other.close()
    page.allowed = ("WebSocket connection",)
    server.end()
    expect(page.locator("#banner")).to_contain_text("The server is gone.")
    server.begin()
    expect(page.locator("#banner")).to_be_hidden(timeout=30_000)
    page.get_by_role("button", name="One epoch").click()  # it goes on, from its choices
    expect(page.locator(".figure b").first).to_have_text("1")
    server.end()
    server.begin(CHAINRULE_PLAYGROUND_TOKEN="other")
    expect(page.locator("#banner")).to_contain_text("another token", timeout=30_000)
    page.goto("about:blank")
    expect(opened(page, server).locator("#banner")).to_be_hidden()
