"""The server: one page, its files, and a socket for each tab; for this machine only."""

# pyright: reportMissingImports=false

import asyncio
import json
import os
import secrets
import socket
import time
import webbrowser
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from threading import Thread, Timer
from typing import Any
from urllib.parse import quote

from chainrule.arrays.memory import give_back
from chainrule.errors import ChainruleError
from chainrule.interchange.extras import needing
from chainrule.playground.asking import ASKED, answered
from chainrule.playground.frames import unframed
from chainrule.playground.session import Session

HOST, PORT = "127.0.0.1", 8765
STATIC = Path(__file__).parent / "static"
LARGEST = 24 * 2**20  # bytes of a message
WORDS = 2**18  # characters of one that is no file
TABS = 16  # at once
MOMENT = 0.2  # seconds until nothing holds a session any more that has ended
PICTURES = 1 / 30  # seconds between two of them at least

TOKEN = "CHAINRULE_PLAYGROUND_TOKEN"
"""The variable that may hold the token, for pages that go on when a server is begun again."""

HEADERS = {
    "Content-Security-Policy": "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' blob: data:; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-cache",
}


def application(token: str) -> Any:
    """The application that whoever knows the token may use, from this machine.

    Attributes of its state: `sessions`, those of the tabs that are open.
    """
    with needing("starlette", "Pages", "playground"):
        from starlette.applications import Starlette
        from starlette.middleware import Middleware
        from starlette.middleware.trustedhost import TrustedHostMiddleware
        from starlette.requests import Request
        from starlette.responses import FileResponse, PlainTextResponse, Response
        from starlette.routing import Route, WebSocketRoute
        from starlette.websockets import WebSocket

    def knows(said: str | None) -> bool:
        return secrets.compare_digest((said or "").encode(), token.encode())

    async def index(request: Request) -> Response:
        if not knows(request.query_params.get("token")):
            return PlainTextResponse("This page opens by the address that chainrule playground says.", 403)
        return FileResponse(STATIC / "index.html", headers=HEADERS)

    async def static(request: Request) -> Response:
        name = request.path_params["name"]
        if name not in {path.name for path in STATIC.iterdir()}:
            return PlainTextResponse("There is no such file.", 404)
        return FileResponse(STATIC / name, headers=HEADERS)

    async def tab(websocket: WebSocket) -> None:
        await websocket.accept()  # a page learns the reason of a close only behind it
        own = f"http://{websocket.headers.get('host')}"
        if not knows(websocket.query_params.get("token")) or websocket.headers.get("origin") != own:
            await websocket.close(4403)
            return
        if len(app.state.sessions) >= TABS:
            await websocket.close(4429)
            return
        await Tab(websocket, app.state.sessions).live()

    app = Starlette(
        routes=[Route("/", index), Route("/{name}", static), WebSocketRoute("/socket", tab)],
        middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=[HOST, "localhost"])],
    )
    app.state.sessions = set()
    return app


class Tab:
    """A tab's socket: what comes is done in order, and pictures go out no faster than the page draws them."""

    def __init__(self, websocket: Any, sessions: set[Session]):
        self.websocket, self.sessions = websocket, sessions
        self.loop = asyncio.get_running_loop()
        self.outbox: asyncio.Queue[dict[str, Any] | bytes] = asyncio.Queue()
        self.fresh, self.drawn = asyncio.Event(), asyncio.Event()
        self.drawn.set()
        self.session = Session(self._send, self._look)

    async def live(self) -> None:
        """Until the page goes, and the session with it."""
        self.sessions.add(self.session)
        tasks = [asyncio.ensure_future(task) for task in (self._read(), self._write(), self._draw())]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self.sessions.discard(self.session)
            self.loop.run_in_executor(None, _give_back_behind, self.session.end())
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
            with suppress(RuntimeError):
                await self.websocket.close()

    def _send(self, message: dict[str, Any] | bytes) -> None:
        self._in_loop(self.outbox.put_nowait, message)

    def _look(self) -> None:
        if not self.fresh.is_set():
            self._in_loop(self.fresh.set)

    def _in_loop(self, function: Callable[..., Any], *of: Any) -> None:
        with suppress(RuntimeError):  # whose loop has ended with the server
            self.loop.call_soon_threadsafe(function, *of)

    async def _read(self) -> None:
        while (message := await self.websocket.receive())["type"] == "websocket.receive":
            try:
                asked, content = _read_message(message)
            except ChainruleError as error:
                self._send({"kind": "refused", "field": None, "message": str(error)})
                continue
            what = asked.get("do")
            if what == "drawn":
                self.drawn.set()
            elif what == "forget":
                self.session.forget(asked.get("ask"))
            elif isinstance(what, str) and what in ASKED:
                self.session.want(asked.get("ask"))
                self.loop.create_task(self._answer(what, asked))
            else:
                self.session.do(asked, content)

    async def _answer(self, what: str, asked: dict[str, Any]) -> None:
        """What takes time and changes nothing, beside the training."""
        try:
            answer = await asyncio.to_thread(answered, self.session, asked)
        except ChainruleError as error:
            answer = {"kind": "refused", "field": what, "message": str(error)}
        except Exception as error:
            answer = {"kind": "refused", "field": what, "message": f"{type(error).__name__}: {str(error)[:300]}"}
        self.session.forget(asked.get("ask"))
        self._send(answer if isinstance(answer, bytes) else {**answer, "ask": asked.get("ask")})

    async def _write(self) -> None:
        while True:
            await self._out(await self.outbox.get())

    async def _draw(self) -> None:
        """A picture each time that there is something new and the page has drawn the one before."""
        while True:
            await self.drawn.wait()
            await self.fresh.wait()
            self.fresh.clear()
            began = self.loop.time()
            frame = await asyncio.to_thread(self._picture)
            if frame is not None:
                self.drawn.clear()
                await self.outbox.put(frame)
            await asyncio.sleep(max(PICTURES - (self.loop.time() - began), 0))

    def _picture(self) -> bytes | None:
        try:
            return self.session.picture()
        except Exception as error:
            self._send({"kind": "refused", "field": None, "message": f"No picture: {str(error)[:300]}"})
            return None

    async def _out(self, message: dict[str, Any] | bytes) -> None:
        if isinstance(message, bytes):
            await self.websocket.send_bytes(message)
        else:
            await self.websocket.send_text(json.dumps(message, allow_nan=False))


def _give_back_behind(thread: Thread) -> None:
    """The memory of a session, once its thread has ended."""
    thread.join()
    time.sleep(MOMENT)
    give_back()


def _read_message(message: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
    """What a message asks for, and the content that it brings."""
    if (content := message.get("bytes")) is not None:
        return unframed(content)
    text = message.get("text") or ""
    try:
        asked = json.loads(text) if len(text) <= WORDS else None
    except (ValueError, RecursionError):
        asked = None
    if not isinstance(asked, dict):
        raise ChainruleError(f"Expected a message in JSON of {WORDS:,} characters at most.")
    return asked, b""


def serve(port: int | None, browser: bool, say: Callable[[str], None]) -> None:
    """Serve the page on this machine until Ctrl-C.

    Args:
        port: where; by default 8765, or another one if that is taken.
        browser: whether to open the page.
        say: is told its address.

    Raises:
        ChainruleError: where the port is taken, or a package is missing.
    """
    with needing("uvicorn", "Pages", "playground"):
        import uvicorn
    with needing("websockets", "Pages", "playground"):
        import websockets  # noqa: F401  # which uvicorn speaks to the page with
    token = quote(os.environ.get(TOKEN) or secrets.token_urlsafe(16), safe="")
    app, bound = application(token), _bound(port)
    address = f"http://{HOST}:{bound.getsockname()[1]}/?token={token}"
    say(address)
    if browser:
        opened = Timer(0.3, webbrowser.open, [address])
        opened.daemon = True
        opened.start()
    config = uvicorn.Config(
        app, log_level="critical", access_log=False, lifespan="off", ws="websockets-sansio", ws_max_size=LARGEST,
        timeout_graceful_shutdown=1, ws_ping_interval=None,
    )  # fmt: skip
    try:
        uvicorn.Server(config).run(sockets=[bound])
    finally:
        for session in [*app.state.sessions]:
            session.end()


def _bound(port: int | None) -> socket.socket:
    """A socket on a port: the one that is said, or the usual one, or, if that is taken, any."""
    for tried in [PORT, 0] if port is None else [port]:
        found = socket.socket()
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with suppress(OSError):
            found.bind((HOST, tried))
            found.listen()  # from now on whoever comes waits for the server
            return found
        found.close()
    raise ChainruleError(f"Port {port} is taken. Choose another one, or leave it out.")
