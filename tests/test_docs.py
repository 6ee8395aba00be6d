import re
import runpy
from pathlib import Path
from types import SimpleNamespace

import pytest

import chainrule
from chainrule.errors import ChainruleError
from chainrule.formula.base import Formula
from chainrule.notation.families import FAMILIES

pytestmark = pytest.mark.slow

DOCS = Path(__file__).parents[1] / "docs"
docs = SimpleNamespace(**runpy.run_path(str(DOCS / "generate.py")))


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    """What docs/build.py has written, where nothing has changed since; else it is written here."""
    last = DOCS / "reference" / "figures" / "race.png"
    sources = [*DOCS.glob("*.*"), *Path(chainrule.__file__).parent.rglob("*.py")]
    if last.exists() and last.stat().st_mtime > max(source.stat().st_mtime for source in sources):
        return DOCS / "reference"
    docs.generate(into := tmp_path_factory.mktemp("docs"))
    return into


@pytest.fixture(params=FAMILIES)
def page(request, reference):
    return SimpleNamespace(family=request.param, text=(reference / f"{request.param}.md").read_text())


def test_every_formula_has_its_section_with_mathematics_and_an_example(page):
    names, sections = re.findall(r"^## (\w+)$", page.text, re.MULTILINE), re.split(r"^## ", page.text, flags=re.M)[1:]
    assert names == [kind.__name__ for kind in docs.ours(page.family)]
    for kind, section in zip(docs.ours(page.family), sections, strict=True):
        assert f"(#{kind.__name__})" in page.text
        assert f"(figures/{kind.__name__}-0.svg)" in section or not docs.page(kind).plots
        assert ("<math" in section) == bool(docs.page(kind).equations)
        assert "```pycon\n>>> " in section
        assert docs.text(kind.reference())[:30] in section
        assert all(f"\n| `{row.name}` |" in section for row in docs.page(kind).fields)
        assert section.partition("\n\n")[2][0] not in "<!|"  # what it is comes first


def test_every_family_begins_with_what_it_is_and_stands_in_the_table_of_contents(page):
    heading, said = page.text.split("\n\n")[:2]
    assert heading == f"# {page.family.capitalize()}"
    assert re.fullmatch(r"[A-Z][^|]{10,}[.…]", said)
    assert f"\nreference/{page.family}\n" in (DOCS / "index.md").read_text()


def test_every_figure_is_shown_and_every_shown_figure_is_there(reference):
    shown = {name for page in reference.glob("*.md") for name in re.findall(r"\((figures/.*?)\)", page.read_text())}
    assert shown == {figure.relative_to(reference).as_posix() for figure in reference.glob("figures/*")}


def test_a_page_a_family(reference):
    assert sorted(page.stem for page in reference.glob("*.md")) == sorted(FAMILIES)


def test_generation_replaces_what_was_there(tmp_path, monkeypatch):
    (tmp_path / "gone.md").write_text("a family that is no more")
    for name, nothing in {"FAMILIES": (), "sheet": lambda *_, **__: b"", "race": lambda *_: b""}.items():
        monkeypatch.setitem(docs.generate.__globals__, name, nothing)
    docs.generate(tmp_path)
    assert [each.name for each in tmp_path.iterdir()] == ["figures"]


def test_what_keras_and_pytorch_do_otherwise_stands_apart():
    ours, peers = docs.told_apart("PyTorch counts it. The mean of each window. (Keras does, too.)")
    assert (ours, peers) == ("The mean of each window.", "PyTorch counts it. (Keras does, too.)")
    told = "What it is. `it=True` is Keras'. Of Vaswani et al. and PyTorch."
    assert docs.told_apart(told) == ("What it is.", "`it=True` is Keras'. Of Vaswani et al. and PyTorch.")


def test_the_errors_of_a_formula_are_read_from_the_report():
    assert "within" in docs.accuracies((DOCS / "accuracy.md").read_text())["ELU"]
    report = """
| formula | Chainrule: value | derivative | JAX: value | derivative |
| --- | ---: | ---: | ---: | ---: |
| ELU | 0.7 | 1.0 | 4.5 | 2e7 |
| Softmax | 1.2 | 1.3 | | |
"""
    assert docs.accuracies(report) == {
        "ELU": "within 0.7 units in the last place, the derivative within 1.0; in JAX 4.5 and 2e7",
        "Softmax": "within 1.2 units in the last place, the derivative within 1.3",
    }


def test_words_mean_themselves_in_markdown():
    assert docs.text("|w| of `a | b`, x_y and *") == r"\|w\| of `a | b`, x\_y and \*"
    assert docs.table(["a"], [[docs.text("|w| of `a | b`")]]).splitlines()[-1] == r"| \|w\| of `a \| b` |"


@pytest.mark.parametrize(
    ("example", "message"),
    [
        (">>> 4 // 2\n3", "Halved: the example 4 // 2 gives 2 and not 3."),
        (">>> 4 // 0\n2", "Halved: the example 4 // 0 fails: ZeroDivisionError: integer division or modulo by zero"),
    ],
)
def test_a_broken_example_is_said_in_one_line(example, message):
    broken = type("Halved", (), {"__doc__": f"A half.\n\n{example}\n", "__module__": Formula.__module__})
    with pytest.raises(ChainruleError) as error:
        docs.example(broken)
    assert str(error.value) == message


def test_a_broken_guide_is_named(tmp_path):
    guide = tmp_path / "guide.md"
    guide.write_text("# Guide\n\n```pycon\n>>> x = 1\n```\n\nThen\n\n```pycon\n>>> x\n2\n```\n")
    with pytest.raises(ChainruleError, match=r"^guide\.md: the example x gives 1 and not 2\.$"):
        docs.run_guide(guide)
