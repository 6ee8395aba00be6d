"""`chainrule playground` as a command: what it says, and how it ends."""

import os
import signal
import subprocess
import sys
from urllib.request import urlopen

import pytest

from chainrule.errors import ChainruleError
from chainrule.playground.serving import serve

RUN = [sys.executable, "-c", "from chainrule.cli import main; main()", "playground", "--no-browser"]


def test_what_is_said_without_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    with pytest.raises(ChainruleError) as error:
        serve(None, False, print)
    assert str(error.value) == ("Pages need the uvicorn package. Install it: pip install 'chainrule[playground]'")


@pytest.mark.slow
def test_it_says_its_address_and_ends_with_ctrl_c():
    pytest.importorskip("uvicorn", reason="pip install 'chainrule[playground]'")
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(RUN, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment) as server:
        try:
            said = [server.stdout.readline() for _ in range(2)]
            address = said[0].split()[-1]
            assert said == [f"The playground is at {address}\n", "Ctrl-C ends it.\n"]
            with urlopen(address) as page:
                assert "Chainrule playground" in page.read().decode()
            port = address.split(":")[2].partition("/")[0]
            taken = subprocess.run([*RUN, "--port", port], capture_output=True, text=True, env=environment)
            message = f"chainrule: Port {port} is taken. Choose another one, or leave it out.\n"
            assert (taken.returncode, taken.stderr) == (2, message)
            server.send_signal(signal.SIGINT)
            assert server.communicate(timeout=20) == ("", "")
            assert server.returncode == 130
        finally:
            server.kill()
