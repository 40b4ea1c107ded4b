"""Put here by `portcullis exec` for the command that it runs, and gone with it.

Names that are answered resolve to an address of this run, and connections to that address, or to such a name, are made
to the interceptor instead. With --offline, connections to other machines are refused.
"""

import errno
import ipaddress
import json
import os
import re
import socket
import sys

_SETTINGS = json.loads("SETTINGS")
_RULE = re.compile(_SETTINGS["rule"])
_HERE = ("127.0.0.1", _SETTINGS["port"])
# Stands for every answered name, so that its port may be lost on the way; nobody listens there.
_TOKEN = "127.112.%d.%d" % divmod(_SETTINGS["port"], 256)
_near = {"", "localhost", _SETTINGS["near"], socket.gethostname().lower()}

_resolve = socket.getaddrinfo
_connect = socket.socket.connect
_connect_ex = socket.socket.connect_ex


def _plain(host):
    text = host.decode("latin-1") if isinstance(host, (bytes, bytearray)) else host
    return text.rstrip(".").lower() if isinstance(text, str) else ""


def _is_answered(name):
    # `fullmatch`: the end of the rule would let a line break pass.
    return _RULE.fullmatch(name) is not None


def _is_refused(name):
    if not _SETTINGS["offline"] or name in _near or name.endswith(".localhost"):
        return False
    try:
        address = ipaddress.ip_address(name.split("%")[0])
    except ValueError:
        return True
    return not (address.is_loopback or address.is_unspecified)


def _why(name):
    return "portcullis exec --offline: nobody answers for %s; name who does with --answer %s=URL" % (name, name)


def getaddrinfo(host, port, family=0, type=0, proto=0, flags=0):
    name = _plain(host)
    if _is_answered(name):
        return _resolve(_TOKEN, port, family, type, proto, flags)
    if _is_refused(name):
        raise socket.gaierror(socket.EAI_FAIL, _why(name))
    found = _resolve(host, port, family, type, proto, flags)
    if name == _SETTINGS["near"]:
        _near.update(entry[4][0] for entry in found)
    return found


def _led(self, address):
    """Where a connection goes that was to go to an address."""
    if self.family not in (socket.AF_INET, socket.AF_INET6) or not isinstance(address, tuple) or not address:
        return address
    name = _plain(address[0])
    if name == _TOKEN or _is_answered(name):
        return _HERE
    if _is_refused(name):
        raise OSError(errno.ENETUNREACH, _why(name))
    return address


def connect(self, address):
    return _connect(self, _led(self, address))


def connect_ex(self, address):
    try:
        return _connect_ex(self, _led(self, address))
    except OSError as error:
        if error.errno != errno.ENETUNREACH:
            raise
        return error.errno


socket.getaddrinfo = getaddrinfo
socket.socket.connect = connect
socket.socket.connect_ex = connect_ex


def _make_room():
    """The sitecustomize that this one stands before, if there is one, has its turn."""
    import importlib

    here = os.path.dirname(os.path.abspath(__file__))
    sys.path[:] = [path for path in sys.path if os.path.abspath(path or os.curdir) != here]
    this = sys.modules.pop(__name__, None)
    try:
        importlib.import_module("sitecustomize")
    except ImportError as error:
        if error.name != "sitecustomize":
            raise
    finally:
        sys.modules.setdefault(__name__, this)


if __name__ == "sitecustomize":
    _make_room()
