"""Ctrl-C is Python's own in tests, also where the shell that began them in the background ignores it."""

import signal

signal.signal(signal.SIGINT, signal.default_int_handler)
