"""For all tests: Ctrl-C is Python's own, also where the shell that began them in the background ignores it; and
Hypothesis sets no deadlines, since the first example of a test may compile, and the machine be busy."""

import signal

from hypothesis import settings

signal.signal(signal.SIGINT, signal.default_int_handler)
settings.register_profile("chainrule", deadline=None)
settings.load_profile("chainrule")
