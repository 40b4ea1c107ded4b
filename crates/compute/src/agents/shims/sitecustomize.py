"""Gives an agent the socket that Portcullis opened for it, when it binds the port of its contract.

The server hands a socket over as standard input, bound to a free port of 127.0.0.1. It is moved out of the way here, and
put in the place of the agent's own socket when that is bound to port 8080 (or 8000). Any other port that is bound on all
addresses is bound on loopback. Processes that the agent starts get the same, whether by exec or as children; standard
input is empty, as in a container. A `sitecustomize` of the agent's own, or of a tool that starts it, is run afterwards.
"""

import os
import sys

_HERE = os.path.dirname(os.path.abspath(__file__))


def _take():
    """The number of the file that is the socket, or None in a process that has none."""
    import stat

    kept = os.environ.get("PORTCULLIS_AGENT_SOCKET")
    try:
        if kept is not None:
            return int(kept) if stat.S_ISSOCK(os.fstat(int(kept)).st_mode) else None
        if not stat.S_ISSOCK(os.fstat(0).st_mode):
            return None
        import fcntl

        kept = fcntl.fcntl(0, fcntl.F_DUPFD, 100)
        empty = os.open(os.devnull, os.O_RDONLY)
        os.dup2(empty, 0)
        os.close(empty)
        os.environ["PORTCULLIS_AGENT_SOCKET"] = str(kept)
        return kept
    except (OSError, ValueError):
        return None


def _bind(given, port):
    import socket

    bind = socket.socket.bind
    anywhere = {"", "0.0.0.0", "::"}

    def bind_privately(self, address):
        if self.family not in (socket.AF_INET, socket.AF_INET6) or not self.type & socket.SOCK_STREAM:
            return bind(self, address)
        if address[1] == port and given is not None:
            os.dup2(given, self.fileno(), inheritable=False)
            # Whether it blocks is a property of the socket that it had before.
            self.settimeout(self.gettimeout())
            return None
        if address[1] != 0 and address[0] in anywhere:
            loopback = "127.0.0.1" if self.family == socket.AF_INET else "::1"
            return bind(self, (loopback, *address[1:]))
        return bind(self, address)

    socket.socket.bind = bind_privately


def _pass_on(given):
    """Children of `subprocess` get the socket too."""
    import subprocess

    execute = subprocess.Popen._execute_child

    def execute_child(self, args, executable, preexec_fn, close_fds, pass_fds, *rest, **more):
        if close_fds:
            pass_fds = (*pass_fds, given)
        return execute(self, args, executable, preexec_fn, close_fds, pass_fds, *rest, **more)

    subprocess.Popen._execute_child = execute_child


def _stay_first():
    """A program that executes another one may have put its own folder before this one."""
    execute, execute_with = os.execv, os.execve

    def ordered(variables):
        others = [part for part in variables.get("PYTHONPATH", "").split(os.pathsep) if part not in ("", _HERE)]
        return os.pathsep.join([_HERE, *others])

    def execv(path, args):
        os.environ["PYTHONPATH"] = ordered(os.environ)
        return execute(path, args)

    def execve(path, args, env):
        if "PORTCULLIS_AGENT" in env:
            env = {**env, "PYTHONPATH": ordered(env)}
        return execute_with(path, args, env)

    os.execv, os.execve = execv, execve


def _next():
    """Runs the `sitecustomize` that would have been imported, were this one not there."""
    import importlib.machinery
    import importlib.util

    rest = [part for part in sys.path if os.path.abspath(part or ".") != _HERE]
    found = importlib.machinery.PathFinder.find_spec("sitecustomize", rest)
    if found is not None and found.loader is not None:
        module = importlib.util.module_from_spec(found)
        found.loader.exec_module(module)


def _begin():
    port = os.environ.get("PORTCULLIS_AGENT_PORT")
    if port is None:
        return
    given = _take()
    _bind(given, int(port))
    _stay_first()
    if given is not None:
        _pass_on(given)


_begin()
_next()
