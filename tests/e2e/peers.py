"""HTTP/1.1 servers for guests to call: small, threaded, and as strict as a test needs."""
import contextlib
import socket
import threading


class Request:
    def __init__(self, method, target, fields):
        self.method, self.target, self.fields = method, target, fields
        self.body, self.trailers = b"", []

    def header(self, name):
        return next((value for key, value in self.fields if key == name), None)


def read_fields(stream):
    fields = []
    while line := stream.readline().strip():
        name, _, value = line.decode("latin1").partition(":")
        fields.append((name.strip().lower(), value.strip()))
    return fields


def read_head(stream):
    """The next request without its body; None at the end."""
    line = stream.readline().strip()
    if not line:
        return None
    method, target, _ = line.decode("latin1").split(" ", 2)
    return Request(method, target, read_fields(stream))


def body_parts(stream, request):
    """The parts of a body as they come; trailers are kept in the request. Raises EOFError when it is cut short."""
    def exactly(count):
        part = stream.read(count)
        if len(part) < count:
            raise EOFError
        return part
    if "chunked" in (request.header("transfer-encoding") or "").lower():
        while size := int(stream.readline().split(b";")[0], 16):
            yield exactly(size)
            exactly(2)
        request.trailers = read_fields(stream)
    elif length := int(request.header("content-length") or 0):
        yield exactly(length)


def head(status, fields=()):
    return (f"HTTP/1.1 {status} X\r\n" + "".join(f"{name}: {value}\r\n" for name, value in fields) + "\r\n").encode()


def chunk(part):
    return b"%x\r\n" % len(part) + part + b"\r\n"


def answer(connection, status, body=b"", fields=()):
    connection.sendall(head(status, [*fields, ("content-length", len(body))]) + body)


class Peer:
    """Serves `handle(connection, stream)` on a port of its own; `with Peer(handle) as port`."""

    def __init__(self, handle):
        self.handle = handle
        self.listener = socket.socket()
        self.listener.bind(("127.0.0.1", 0))
        self.listener.listen(64)
        self.port = self.listener.getsockname()[1]

    def __enter__(self):
        threading.Thread(target=self.accept, daemon=True).start()
        return self.port

    def __exit__(self, *_):
        self.listener.close()

    def accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(connection,), daemon=True).start()

    def serve(self, connection):
        with connection, connection.makefile("rb") as stream, contextlib.suppress(OSError, EOFError, ValueError):
            connection.settimeout(60)
            self.handle(connection, stream)


def closed_port():
    """A port that nobody listens on."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


# --- what the conformance data asks for
def telling_echo(connection, stream):
    """Answers with the request's body, and with its method and target in fields (http.echo_server, http1)."""
    request = read_head(stream)
    body = b"".join(body_parts(stream, request))
    fields = [("x-wasmtime-test-method", request.method), ("x-wasmtime-test-uri", request.target)]
    if request.header("content-length") is not None or request.method == "HEAD":
        return answer(connection, 200, body, fields)
    connection.sendall(head(200, [*fields, ("transfer-encoding", "chunked")]) + (chunk(body) if body else b"") + b"0\r\n\r\n")


def only_http2(connection, stream):
    """Settings, and an error for whoever does not speak HTTP/2 (http.echo_server, http2)."""
    connection.sendall(b"\0\0\0\x04\0\0\0\0\0")
    connection.settimeout(2)
    with contextlib.suppress(OSError):
        connection.recv(65536)
    connection.sendall(b"\0\0\x08\x07\0\0\0\0\0" + b"\0\0\0\0" + b"\0\0\0\x01")


def routes(table, otherwise):
    """http.backend: bodies, and echoes that answer before (streaming) or after they have read the request."""
    def handle(connection, stream):
        while request := read_head(stream):
            route = next((r for r in table if (r["method"], r["path"]) == (request.method, request.target)), None)
            if route and route.get("echo") == "streaming":
                connection.sendall(head(200, [("transfer-encoding", "chunked")]))
                for part in body_parts(stream, request):
                    connection.sendall(chunk(part))
                connection.sendall(b"0\r\n\r\n")
                continue
            body = b"".join(body_parts(stream, request))
            if not route:
                answer(connection, otherwise)
            else:
                answer(connection, 200, body if "echo" in route else route["body"].encode())
    return handle


def endpoints(table):
    """Servers of wasi-testsuite manifests: one request for each connection."""
    def handle(connection, stream):
        request = read_head(stream)
        body = b"".join(body_parts(stream, request))
        endpoint = next((e for e in table if (e["method"], e["path"]) == (request.method, request.target)), None)
        if not endpoint:
            return answer(connection, 404)
        mode = endpoint.get("mode", "static")
        if mode == "echo-body":
            return answer(connection, 200, body)
        if mode == "echo-headers":
            echoed = [("x-request-method", request.method), ("x-request-path", request.target)]
            echoed += [(f"x-echo-{name}", value) for name, value in request.fields]
            return answer(connection, 200, b"", echoed + [(f"x-trailer-{name}", value) for name, value in request.trailers])
        response = endpoint.get("response", "")
        if isinstance(response, str):
            return answer(connection, 200, response.encode())
        fields, status = list(response.get("headers", {}).items()), response.get("status", 200)
        if "chunks" not in response:
            text = response.get("body", "").encode()
            return answer(connection, status, b"" if request.method == "HEAD" else text, fields)
        connection.sendall(head(status, [*fields, ("transfer-encoding", "chunked")]))
        for part in response["chunks"]:
            connection.sendall(chunk(part.encode()))
        trailers = "".join(f"{name}: {value}\r\n" for name, value in response.get("trailers", {}).items())
        connection.sendall(b"0\r\n" + trailers.encode() + b"\r\n")
    return handle
