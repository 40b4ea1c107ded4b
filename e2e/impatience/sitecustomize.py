"""Shortens the sleeps of programs that wait for what takes no time here: DNS, roles, indexes (README.md, deviation 1). For
programs that are run as they are: the folder goes into PYTHONPATH."""

import time

_sleep = time.sleep
time.sleep = lambda seconds: _sleep(min(seconds, 0.5))
