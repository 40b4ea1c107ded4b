"""The runtime client of Portcullis for Python functions: 3.9 and later, no dependencies.

It loads the handler, asks the Lambda Runtime API for events, calls the handler with each, and sends back
what it returned or raised. What a handler can see (the context object, error types and texts, the format
of log lines) is as on AWS Lambda; the code is not AWS's.

HTTP is spoken over a bare socket, because http.client costs more than most handlers do: its
parser of headers is the one for e-mail. An answer carries the request for the next event with it
("Portcullis-Then: next", which AWS's API does not have), so that an invocation is one exchange and not two.
"""

import importlib
import json
import logging
import os
import select
import signal
import socket
import sys
import time
import traceback
from _thread import start_new_thread

API = "/2018-06-01/runtime"
# The largest answer Lambda takes: 6 MiB and 100 bytes.
LARGEST_ANSWER = 6 * 1024 * 1024 + 100
LONGEST_MESSAGE = 256 * 1024


class Fault(Exception):
    """Something that Lambda's runtime, and not the handler, finds wrong."""

    def __init__(self, error_type, message, trace=()):
        super().__init__(message)
        self.error_type = error_type
        self.message = message
        self.trace = list(trace)


class Disconnected(Exception):
    """The server is gone."""


class RuntimeApi:
    """One kept connection to the Runtime API."""

    def __init__(self, address):
        host, _, port = address.rpartition(":")
        self._socket = socket.create_connection((host, int(port)))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._unread = b""
        self._next = ("GET %s/invocation/next HTTP/1.1\r\nHost: %s\r\n\r\n" % (API, address)).encode()
        self._host = address

    def next(self):
        """The headers and the body of the next event."""
        self._send(self._next)
        status, headers, body = self._read()
        if status != 200:
            raise Disconnected
        return headers, body

    def answer_and_next(self, request_id, kind, body, error_type=None):
        """Sends an answer (kind "response" or "error"), and gives the next event."""
        path = "%s/invocation/%s/%s" % (API, request_id, kind)
        self._send(self._post(path, error_type, "Portcullis-Then: next\r\n", body))
        status, headers, reply = self._read()
        if status == 200:
            return headers, reply
        print("the Runtime API refused an answer: %d %s" % (status, reply.decode("utf-8", "replace")))
        return self.next()

    def init_error(self, body, error_type):
        """Says that the function cannot begin."""
        self._send(self._post(API + "/init/error", error_type, "", body))
        self._read()

    def _post(self, path, error_type, more, body):
        if error_type:
            name = error_type.encode("ascii", "replace").decode("ascii")
            more += "Lambda-Runtime-Function-Error-Type: %s\r\n" % name
        head = "POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\n%sContent-Length: %d\r\n\r\n" % (
            path,
            self._host,
            more,
            len(body),
        )
        return head.encode("latin-1") + body

    def _send(self, data):
        try:
            self._socket.sendall(data)
        except OSError:
            raise Disconnected from None

    def _receive(self, size):
        try:
            data = self._socket.recv(size)
        except OSError:
            raise Disconnected from None
        if not data:
            raise Disconnected
        return data

    def _read(self):
        """One response: its status, headers (names in lower case) and body."""
        data = self._unread
        while True:
            end = data.find(b"\r\n\r\n")
            if end >= 0:
                break
            data += self._receive(65536)
        lines = data[:end].decode("latin-1").split("\r\n")
        headers = {}
        for line in lines[1:]:
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        start = end + 4
        length = int(headers.get("content-length", "0"))
        missing = start + length - len(data)
        if missing <= 0:
            self._unread = data[start + length :]
            return int(lines[0].split(" ", 2)[1]), headers, data[start : start + length]
        pieces = [data[start:]]
        while missing > 0:
            piece = self._receive(min(missing, 1 << 20))
            missing -= len(piece)
            pieces.append(piece)
        self._unread = b""
        return int(lines[0].split(" ", 2)[1]), headers, b"".join(pieces)


class _Record:
    """An object with exactly these attributes, taken from a dictionary."""

    __slots__ = ()

    def __init__(self, values):
        for name in self.__slots__:
            setattr(self, name, values.get(name))

    def __repr__(self):
        values = ",".join("%s=%s" % (name, getattr(self, name)) for name in self.__slots__)
        return "%s([%s])" % (type(self).__name__, values)


class Client(_Record):
    __slots__ = (
        "installation_id",
        "app_title",
        "app_version_name",
        "app_version_code",
        "app_package_name",
    )


class ClientContext(_Record):
    __slots__ = ("custom", "env", "client")

    def __init__(self, values):
        super().__init__(values)
        if isinstance(self.client, dict):
            self.client = Client(self.client)


class CognitoIdentity(_Record):
    __slots__ = ("cognito_identity_id", "cognito_identity_pool_id")


class LambdaContext:
    """What a handler gets as its second argument."""

    function_name = os.environ.get("AWS_LAMBDA_FUNCTION_NAME")
    function_version = os.environ.get("AWS_LAMBDA_FUNCTION_VERSION")
    memory_limit_in_mb = os.environ.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE")
    log_group_name = os.environ.get("AWS_LAMBDA_LOG_GROUP_NAME")
    log_stream_name = os.environ.get("AWS_LAMBDA_LOG_STREAM_NAME")

    def __init__(self, headers):
        self.aws_request_id = headers.get("lambda-runtime-aws-request-id")
        self.invoked_function_arn = headers.get("lambda-runtime-invoked-function-arn")
        self.tenant_id = headers.get("lambda-runtime-aws-tenant-id")
        context = headers.get("lambda-runtime-client-context")
        self.client_context = ClientContext(_parse(context, "Client Context")) if context else None
        identity = headers.get("lambda-runtime-cognito-identity")
        identity = _parse(identity, "Cognito Identity") if identity else {}
        self.identity = CognitoIdentity(
            {
                "cognito_identity_id": identity.get("cognitoIdentityId"),
                "cognito_identity_pool_id": identity.get("cognitoIdentityPoolId"),
            }
        )
        self._deadline_ms = int(headers.get("lambda-runtime-deadline-ms", "0"))

    def get_remaining_time_in_millis(self):
        return max(self._deadline_ms - int(time.time() * 1000), 0)

    def log(self, message):
        sys.stdout.write(str(message))

    def __repr__(self):
        return "LambdaContext([aws_request_id=%s,function_name=%s,invoked_function_arn=%s,client_context=%s])" % (
            self.aws_request_id,
            self.function_name,
            self.invoked_function_arn,
            self.client_context,
        )


def _parse(text, name):
    try:
        value = json.loads(text)
    except ValueError as error:
        raise Fault("Runtime.LambdaContextUnmarshalError", "Unable to parse %s JSON: %s" % (name, error)) from None
    if not isinstance(value, dict):
        message = "Unable to parse %s JSON: it is no object" % name
        raise Fault("Runtime.LambdaContextUnmarshalError", message)
    return value


def load(handler):
    """The function that a handler's name means: "module.function", "folder/module.function"."""
    module_name, dot, function_name = handler.rpartition(".")
    if not dot:
        message = "Bad handler '%s': not enough values to unpack (expected 2, got 1)" % handler
        raise Fault("Runtime.MalformedHandlerName", message)
    if module_name.split(".")[0] in sys.builtin_module_names:
        message = "Cannot use built-in module %s as a handler module" % module_name
        raise Fault("Runtime.BuiltInModuleConflict", message)
    try:
        module = importlib.import_module(module_name.replace("/", "."))
    except ImportError as error:
        message = "Unable to import module '%s': %s" % (module_name, error)
        raise Fault("Runtime.ImportModuleError", message) from None
    except SyntaxError as error:
        where = '  File "%s" Line %s\n    %s' % (error.filename, error.lineno, error.text)
        message = "Syntax error in module '%s': %s" % (module_name, error)
        raise Fault("Runtime.UserCodeSyntaxError", message, [where]) from None
    try:
        return getattr(module, function_name)
    except AttributeError:
        message = "Handler '%s' missing on module '%s'" % (function_name, module_name)
        raise Fault("Runtime.HandlerNotFound", message) from None


def marshal(value):
    """An answer as JSON, and only as JSON: NaN and infinities are refused, bytes must be JSON already."""
    try:
        if isinstance(value, (bytes, bytearray)):
            json.loads(value)
            return bytes(value)
        try:
            return _ENCODER.encode(value).encode("utf-8")
        except UnicodeEncodeError:
            # Half of a surrogate pair has no UTF-8, but can be escaped.
            return json.dumps(value, allow_nan=False, default=_encode_other).encode("ascii")
    except Exception as error:
        raise Fault("Runtime.MarshalError", "Unable to marshal response: %s" % describe(error)) from None


def _encode_other(value):
    decimal = sys.modules.get("decimal")
    if decimal is not None and isinstance(value, decimal.Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    raise TypeError("Object of type %s is not JSON serializable" % type(value).__name__)


_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False, default=_encode_other)


def describe(error):
    try:
        return str(error)[:LONGEST_MESSAGE]
    except Exception:
        return "(this %s cannot be printed)" % type(error).__name__


def report(error, request_id=""):
    """The error as Lambda reports it: its type and its JSON. The frames of this file are left out."""
    if isinstance(error, Fault):
        error_type, message, trace = error.error_type, error.message, error.trace
    else:
        frames = traceback.extract_tb(error.__traceback__)
        ours = [frame for frame in frames if frame.filename != __file__]
        error_type, message = type(error).__name__, describe(error)
        trace = traceback.format_list(ours[-100:])
    body = {"errorMessage": message, "errorType": error_type, "requestId": request_id, "stackTrace": trace}
    lines = ["[ERROR] %s: %s" % (error_type, message)]
    if trace:
        lines.append("Traceback (most recent call last):")
        lines.extend(line.rstrip("\n") for line in trace)
    print("\n".join(lines))
    return error_type, json.dumps(body).encode("ascii")


def handle(handler, headers, body):
    """One event: the kind of the answer, its body, and the type of the error."""
    request_id = headers.get("lambda-runtime-aws-request-id", "")
    try:
        context = LambdaContext(headers)
        try:
            event = json.loads(body)
        except ValueError as error:
            raise Fault("Runtime.UnmarshalError", "Unable to unmarshal input: %s" % error) from None
        answer = marshal(handler(event, context))
        if len(answer) > LARGEST_ANSWER:
            message = "Response payload size exceeded maximum allowed payload size (%d bytes)." % LARGEST_ANSWER
            raise Fault("Function.ResponseSizeTooLarge", message)
        return "response", answer, None
    except Exception as error:
        error_type, body = report(error, request_id)
        return "error", body, error_type


class RequestId(logging.Filter):
    """Puts the id of the present invocation into log records."""

    current = ""

    def filter(self, record):
        record.aws_request_id = RequestId.current
        return True


class Printing(logging.Handler):
    """Writes log records to standard output, wherever that leads at the moment."""

    def emit(self, record):
        try:
            sys.stdout.write(self.format(record))
        except Exception:
            self.handleError(record)


def set_up_logging():
    # The server reads lines: they leave as they are finished, the rest when the invocation ends.
    sys.stdout.reconfigure(line_buffering=True, errors="backslashreplace")
    sys.stderr.reconfigure(line_buffering=True, errors="backslashreplace")
    logging.Formatter.converter = time.gmtime
    handler = Printing()
    handler.setFormatter(
        logging.Formatter(
            "[%(levelname)s]\t%(asctime)s.%(msecs)03dZ\t%(aws_request_id)s\t%(message)s\n",
            "%Y-%m-%dT%H:%M:%S",
        )
    )
    handler.addFilter(RequestId())
    logging.getLogger().addHandler(handler)


def flush():
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except Exception:
            pass


def close_inherited():
    """Closes what the server was started with and did not open itself."""
    for name in os.listdir("/dev/fd"):
        if int(name) > 2:
            try:
                os.close(int(name))
            except OSError:
                pass


def end():
    """Ends at once, with the processes the handler has started."""
    if os.getpgrp() == os.getpid():
        os.killpg(os.getpid(), signal.SIGKILL)
    os._exit(1)


def end_with_the_server(output):
    """Waits for the server to close its end of our output, which it does only by ending, and ends too: even
    a handler that never returns does not outlive it."""
    poll = select.poll()
    poll.register(output, 0)
    while not poll.poll():
        pass
    end()


def main():
    task_root = os.environ.get("LAMBDA_TASK_ROOT", os.getcwd())
    sys.path[0] = task_root
    close_inherited()
    set_up_logging()
    start_new_thread(end_with_the_server, (os.dup(1),))
    api = RuntimeApi(os.environ["AWS_LAMBDA_RUNTIME_API"])
    try:
        handler = load(os.environ.get("_HANDLER", ""))
    except Exception as error:
        error_type, body = report(error)
        flush()
        api.init_error(body, error_type)
        sys.exit(1)
    headers, body = api.next()
    while True:
        request_id = RequestId.current = headers.get("lambda-runtime-aws-request-id", "")
        trace = headers.get("lambda-runtime-trace-id")
        if trace:
            os.environ["_X_AMZN_TRACE_ID"] = trace
        kind, answer, error_type = handle(handler, headers, body)
        flush()
        headers, body = api.answer_and_next(request_id, kind, answer, error_type)


if __name__ == "__main__":
    try:
        main()
    except Disconnected:
        end()
