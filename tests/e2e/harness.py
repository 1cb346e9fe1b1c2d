"""What the end-to-end tests share: where things are, a served app, requests, and the count of passed, failed and skipped."""
import contextlib
import http.client
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent


class Config:
    """build: the folder with cusp; guests: the folder with the project's own guests; shared: conformance data, or None."""

    def __init__(self, args):
        self.build = (ROOT / args.build).resolve()
        self.cusp = self.build / "cusp"
        self.guests = (ROOT / (args.guests or f"{args.build}/guests")).resolve()
        self.sanitized = args.sanitized
        # The leak check at a server's end starts a process, which a server that has locked itself in may not.
        self.sandbox = ["--sandbox", "off" if self.sanitized else "require"]
        self.opt_level = str(args.opt_level)
        self.minutes = args.minutes
        self.only = args.only
        shared = pathlib.Path(os.environ.get("CUSP_SHARED", ROOT.parent / "shared"))
        self.shared = shared if (shared / "guests").is_dir() else None
        self.cache = tempfile.mkdtemp(prefix="cusp-cache-")
        self.env = dict(os.environ, XDG_CACHE_HOME=self.cache)
        if args.compiler:
            self.env["CUSP_COMPILE"] = str((ROOT / args.compiler).resolve())
        if self.sanitized:
            self.env.setdefault("UBSAN_OPTIONS", "print_stacktrace=1")

    def slow(self, seconds):
        """Sanitizers and busy machines need more patience."""
        return seconds * (5 if self.sanitized else 2)


class Tally:
    def __init__(self):
        self.passed = self.failed = self.skipped = 0

    def check(self, name, problems):
        """problems: a list of sentences; empty means passed."""
        if problems:
            self.failed += 1
            print(f"FAIL {name}: " + "; ".join(problems), flush=True)
        else:
            self.passed += 1

    def skip(self, name, why):
        self.skipped += 1
        print(f"SKIP {name}: {why}", flush=True)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Server:
    """`cusp serve` of one app; a context manager that stops it with SIGTERM and looks at how it ended."""

    def __init__(self, config, app, *options, env=None):
        self.config, self.port = config, free_port()
        self.log_path = tempfile.mktemp(prefix="cusp-log-")
        self.log = open(self.log_path, "w+")
        command = [config.cusp, "serve", "--addr", f"127.0.0.1:{self.port}", "--opt-level", config.opt_level,
                   *config.sandbox, *map(str, options), str(app)]
        self.process = subprocess.Popen(command, stdout=self.log, stderr=self.log, env=env or config.env)

    def __enter__(self):
        deadline = time.time() + self.config.slow(300)
        while time.time() < deadline and self.process.poll() is None:
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return self
            time.sleep(0.02)
        raise RuntimeError(f"the server did not listen: {self.output()[-2000:]}")

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(self.config.slow(40))
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.log.close()
        with contextlib.suppress(OSError):
            os.unlink(self.log_path)

    def output(self):
        self.log.flush()
        return pathlib.Path(self.log_path).read_text(errors="replace")

    def alive(self):
        return self.process.poll() is None

    def resident_kib(self):
        for line in pathlib.Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS"):
                return int(line.split()[1])
        return 0

    def connect(self, timeout=None):
        return socket.create_connection(("127.0.0.1", self.port), timeout or self.config.slow(20))

    def request(self, method, path, body=None, headers=None, timeout=None):
        """(status, headers, body). Raises http.client.HTTPException or OSError when the connection breaks."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout or self.config.slow(30))
        try:
            connection.request(method, path, body=body, headers=headers or {})
            response = connection.getresponse()
            return response.status, response.headers, response.read()
        finally:
            connection.close()

    def raw(self, data, timeout=None):
        """Sends bytes as they are and returns everything until the server closes."""
        with self.connect(timeout) as s:
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                s.sendall(data)
            out = b""
            with contextlib.suppress(ConnectionResetError, socket.timeout):
                while part := s.recv(65536):
                    out += part
            return out


def compare(request, got, sent_body, seconds):
    """What differs between an answer and a case's "expect"."""
    expect, bad = request["expect"], []
    if expect.get("closed"):
        return [] if got is None else [f"expected a broken connection, got {got[0]} with {len(got[2])} bytes"]
    if got is None:
        return ["the connection ended"]
    status, headers, body = got
    if "status" in expect and status != expect["status"]:
        bad.append(f"status {status}, want {expect['status']}: {body[:200]!r}")
    for name, value in expect.get("headers", {}).items():
        if headers.get(name) != value:
            bad.append(f"header {name}: {headers.get(name)!r}, want {value!r}")
    if "body" in expect and body.decode(errors="replace") != expect["body"]:
        bad.append(f"body {body[:200]!r}, want {expect['body']!r}")
    bad += [f"{part!r} not in body {body[:300]!r}" for part in expect.get("body_contains", []) if part.encode() not in body]
    if "body_length" in expect and len(body) != expect["body_length"]:
        bad.append(f"{len(body)} bytes, want {expect['body_length']}")
    if expect.get("body_same") and body != sent_body:
        bad.append(f"body differs from the request ({len(body)} bytes)")
    if "at_least_s" in expect and seconds < expect["at_least_s"]:
        bad.append(f"took only {seconds:.3f} s")
    return bad


def http_cases(config, tally, app, spec_path, label):
    """Runs a NAME.expect.json against an app. Format: the same as the cases of the conformance data."""
    spec = json.loads(pathlib.Path(spec_path).read_text())
    serve = spec.get("serve", {})
    folder = pathlib.Path(tempfile.mkdtemp(prefix="cusp-dirs-"))
    options = []
    for index, (guest, files) in enumerate(serve.get("dirs", {}).items()):
        (folder / str(index)).mkdir()
        for name, text in files.items():
            (folder / str(index) / name).write_text(text)
        options += ["--dir", f"{folder / str(index)}::{guest}"]
    for name, value in serve.get("env", {}).items():
        options += ["--env", f"{name}={value}"]
    if "timeout_s" in serve:
        options += ["--timeout", f"{serve['timeout_s']}s"]
    if "max_memory" in serve:
        options += ["--max-memory", str(serve["max_memory"])]
    try:
        with Server(config, app, *options) as server:
            for request in spec["requests"]:
                body = request.get("body")
                if "body_repeat" in request:
                    body = request["body_repeat"][0] * request["body_repeat"][1]
                body = body.encode() if body is not None else None
                start = time.time()
                try:
                    path = request["path"].replace("{port}", str(server.port))
                    got = server.request(request.get("method", "GET"), path, body, request.get("headers"))
                except (http.client.HTTPException, ConnectionError):
                    got = None
                tally.check(f"{label} {request.get('method', 'GET')} {request['path']}", compare(request, got, body, time.time() - start))
            tally.check(f"{label}: the server is still there", [] if server.alive() else [server.output()[-2000:]])
            if "AddressSanitizer" in server.output() or "runtime error:" in server.output():
                tally.check(f"{label}: sanitizers", [server.output()[-4000:]])
    except RuntimeError as error:
        tally.check(label, [str(error)])
    finally:
        shutil.rmtree(folder)
