from importlib.metadata import version

import jax

from chainrule.kernels import native


def test_it_says_what_is_in_use(run):
    said = run("info")
    assert said.code == 0
    facts = {line[:16].strip(): line[16:].strip() for line in said.out.splitlines()}
    assert list(facts) == ["chainrule", "Python", "JAX", "devices", "native kernels"]
    assert facts["JAX"] == jax.__version__
    assert facts["native kernels"] == native.processor() or "install a C++ compiler" in facts["native kernels"]


def test_without_kernels_it_says_the_remedy(run, monkeypatch):
    monkeypatch.setattr(native, "processor", lambda: None)
    assert "none. For faster layers install a C++ compiler" in run("info").out


def test_the_version(run):
    assert run("--version") == (0, f"chainrule {version('chainrule')}\n", "")
    assert "--version" in run("--help").out
