"""Components on WASI 0.2 and 0.3, where the conformance data is beside the checkout: the public suite of 0.3 programs, and Wasmtime's own
programs as components, run, piped and served."""
import base64
import contextlib
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
import zlib

import peers
from commands import cusp, expect
from harness import Server, free_port
from wasi import MINUTE, env_options, make_tree, scratch

# What a case needs and this machine or cusp has not: the case is skipped, and told.
MISSING = {
    "embed": "is for embedders", "fake-clocks": "is for embedders", "extra-forbidden-header": "is for embedders",
    "internet": "needs the internet", "dns": "needs a name server", "public-route": "needs a public route", "blackhole-route": "needs a route that swallows packets",
    "tty": "needs a terminal of its own", "wasi-tls": "waits for wasi:tls",
}
# Cases that assert a limit or a text of Wasmtime's.
OF_WASMTIME = {
    "hostcall_fuel": "asserts Wasmtime's fuel of host calls", "no_logging_prefix": "asserts how Wasmtime prints a served guest's lines",
    "max_resources": "asserts how Wasmtime counts resources",
}
OWN_TEXTS = {"guest never invoked `response-outparam::set` method": ("without an answer", "wasm trap"), "guest timed out": ("time limit",)}


def ask(port, request, substitute=str, connection=None, patience=MINUTE):
    """Sends one request of a case; what differs from what it expects, and the connection."""
    expect, bad = request["expect"], []
    body = request.get("body", "").encode() if "body" in request else None
    if "body_base64" in request:
        body = base64.b64decode(request["body_base64"])
    if "body_gen" in request:
        body = bytes((251 * (i + 1)) & 255 for i in range(request["body_gen"]["size"]))
    connection = connection or socket.create_connection(("127.0.0.1", port), patience)
    text = f"{request['method']} {substitute(request['target'])} HTTP/1.1\r\n" + "".join(f"{name}: {substitute(value)}\r\n" for name, value in request["headers"])
    trailers = request.get("trailers", {})
    parts = []
    if body is not None and request.get("chunked"):
        size = request["chunked"] if request["chunked"] is not True else len(body) or 1
        text += "transfer-encoding: chunked\r\n" + (f"te: trailers\r\ntrailer: {', '.join(trailers)}\r\n" if trailers else "")
        parts = [peers.chunk(body[at:at + size]) for at in range(0, len(body), size)]
        parts.append(b"0\r\n" + "".join(f"{name}: {value}\r\n" for name, value in trailers.items()).encode() + b"\r\n")
    elif body is not None:
        text += f"content-length: {len(body)}\r\n"
        parts = [body]
    sender = threading.Thread(target=lambda: [connection.sendall(part) for part in [(text + "\r\n").encode(), *parts]], daemon=True)
    sender.start()
    response = http.client.HTTPResponse(connection, method="GET" if request["method"] == "CONNECT" else request["method"])
    response.begin()
    got = b"" if request["method"] == "CONNECT" else response.read()
    sender.join(patience)
    status = expect.get("status", 200)
    if response.status // 100 != int(status[0]) if isinstance(status, str) else response.status != status:
        bad.append(f"status {response.status}, want {status}: {got[:200]!r}")
    bad += [f"header {name}: {response.getheader(name)!r}, want {value!r}" for name, value in expect.get("headers", {}).items() if response.getheader(name) != value]
    bad += [f"header {name} is there" for name in expect.get("absent_headers", []) if response.getheader(name) is not None]
    if "body" in expect and got != expect["body"].encode():
        bad.append(f"body {got[:200]!r}, want {expect['body']!r}")
    if expect.get("body_same_as_request") and got != body:
        bad.append(f"the body is not the request's: {len(got)} bytes, want {len(body)}")
    if "body_inflated" in expect and zlib.decompress(got, -15) != expect["body_inflated"].encode():
        bad.append(f"body {got!r}")
    if "lines_any_order" in expect and sorted(got.decode().splitlines()) != sorted(map(substitute, expect["lines_any_order"])):
        bad.append(f"lines {got!r}")
    return bad, connection


# --- the public suite of WASI 0.3 programs (wasi-testsuite)
class Program:
    """A program of the suite under way: operations act on it."""

    def __init__(self, config, command, serves):
        self.config, self.serves, self.sockets = config, serves, {}
        self.process = subprocess.Popen(list(map(str, command)), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=config.env)
        self.out = {"stdout": self.process.stdout, "stderr": self.process.stderr}

    def read(self, name, count):
        text = b""
        while len(text) < count and (part := os.read(self.out[name].fileno(), count - len(text))):
            text += part
        return text

    def line(self):
        text = b""
        while not text.endswith(b"\n") and (part := self.read("stdout", 1)):
            text += part
        return text.decode().strip()

    def do(self, operation, port):
        """What is wrong with one operation's outcome."""
        kind, payload = operation["type"], operation.get("payload", "").encode()
        if kind == "read":
            got = self.read(operation["id"], len(payload))
            return [] if got == payload else [f"{operation['id']} {got!r}, want {payload!r}"]
        if kind == "write":
            self.process.stdin.write(payload)
            self.process.stdin.flush()
            self.process.stdin.close()
        elif kind == "connect":
            host, _, number = self.line().rpartition(":")
            self.sockets[operation["id"]] = socket.create_connection((host.strip("[]"), int(number)), MINUTE)
        elif kind == "send":
            self.sockets[operation["id"]].sendall(payload)
        elif kind == "recv":
            got = self.sockets[operation["id"]].recv(len(payload), socket.MSG_WAITALL)
            return [] if got == payload else [f"received {got!r}, want {payload!r}"]
        elif kind == "request":
            expect = {"status": 200, "body": "", **operation["response"]}
            if "body" not in operation["response"]:
                del expect["body"]
            request = {"method": operation["method"], "target": operation["path"], "headers": [["host", f"127.0.0.1:{port}"], *operation.get("headers", {}).items()], "expect": expect}
            if "body" in operation:
                request["body"] = operation["body"]
            bad, connection = ask(port, request, patience=self.config.slow(MINUTE))
            connection.close()
            return bad
        elif kind == "kill":
            self.process.send_signal(getattr(signal, operation["signal"]))
        elif kind == "wait":
            if self.process.stdin and not self.process.stdin.closed:
                self.process.stdin.close()
            self.process.stdin = None
            _, stderr = self.process.communicate(timeout=self.config.slow(MINUTE))
            wanted = operation.get("exit_code", 0)
            return [] if self.process.returncode == wanted else [f"exit {self.process.returncode}, want {wanted}: {stderr.decode(errors='replace')[:600]}"]
        return []

    def end(self):
        for connection in self.sockets.values():
            connection.close()
        if self.process.poll() is None:
            self.process.kill()
            self.process.communicate()


def wait_for_server(config, process, port):
    deadline = time.time() + config.slow(5 * MINUTE)
    while time.time() < deadline and process.poll() is None:
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        time.sleep(0.02)
    raise RuntimeError("the server does not listen")


def suite_program(config, tally, folder, wasm):
    manifest = wasm.with_suffix(".json")
    spec = json.loads(manifest.read_text()) if manifest.exists() else {}
    operations = spec.get("operations", [{"type": "run"}, {"type": "wait"}])
    start = operations[0]
    serves = spec.get("world") == "wasi:http/service"
    name, bad = f"{folder.name} {wasm.stem}", []
    with contextlib.ExitStack() as stack:
        here = stack.enter_context(scratch())
        env, port = dict(start.get("env", {})), free_port()
        for server in spec.get("servers", []):
            listening = server.get("kind", "listening") == "listening"
            number = stack.enter_context(peers.Peer(peers.endpoints(server["endpoints"]))) if listening else peers.closed_port()
            env[f"HTTP_SERVER_{server['name'].upper()}"] = f"127.0.0.1:{number}"
        options = env_options(env)
        if root := start.get("root", spec.get("root")):
            shutil.copytree(folder / root, here / "root", symlinks=True)
            subprocess.run(["chmod", "-R", "u+w", here / "root"], check=True)
            options += ["--dir", f"{here / 'root'}::/"]
        if "sockets" in spec.get("proposals", []) or wasm.stem.startswith("sockets-"):
            options += ["--net", "all"]
        command = [config.cusp, "serve" if serves else "run", "--opt-level", config.opt_level, *options]
        command += ["--addr", f"127.0.0.1:{port}", "--workers", "1", *config.sandbox] if serves else ["--argv0", wasm.name]
        program = Program(config, [*command, wasm, *start.get("args", [])], serves)
        try:
            if serves:
                wait_for_server(config, program.process, port)
            for operation in operations[1:]:
                bad += program.do(operation, port)
        except (OSError, RuntimeError, http.client.HTTPException, subprocess.TimeoutExpired) as error:
            bad.append(repr(error))
        finally:
            program.end()
    tally.check(name, bad)


# --- Wasmtime's own test programs, those that are components
def missing(case):
    if case["kind"] == "embed":
        return MISSING["embed"]
    needs = [MISSING[need] for need in case.get("needs", []) if need in MISSING and (need != "sockets" or case["abi"] == "p3")]
    options = [text for option, text in OF_WASMTIME.items() if option in case.get("options", {}) and (case.get("wasmtime_specific") or option == "no_logging_prefix")]
    return next(iter(needs + options), None)


def has_ipv6():
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET6) as s:
        s.bind(("::1", 0))
        return True
    return False


def options_of(config, case, folder, substitute):
    options = []
    for index, entry in enumerate(case["dirs"]):
        host = entry.get("host")
        if not host:
            host = folder / str(index)
            host.mkdir()
            make_tree(host, entry["tree"])
        options += ["--dir", f"{host}::{entry['guest']}::{entry.get('perms', 'rw')}"]
    env = {**case["env"], **(case.get("env_if_no_ipv6", {}) if not has_ipv6() else {})}
    options += env_options({name: substitute(value) for name, value in env.items()})
    given, net = case.get("options", {}), case.get("net")
    if net:
        switches = {"inherit-network": net["inherit"], "tcp": net["tcp"], "udp": net["udp"], "allow-ip-name-lookup": net["ip_name_lookup"]}
        options += [word for key, on in switches.items() for word in ("-S", f"{key}={'y' if on else 'n'}")]
    if "timeout_ns" in given:
        options += ["-W", f"timeout={given['timeout_ns'] / 1e9:.9f}s"]
    for option, key in (("cwd", "cwd"), ("max_random_size", "max-random-size")):
        if option in given:
            options += ["-S", f"{key}={given[option]}"]
    if net := case.get("net"):
        options += ["-S", "inherit-network"] if net["inherit"] else []
        for right, key in (("tcp", "tcp"), ("udp", "udp"), ("ip_name_lookup", "allow-ip-name-lookup")):
            options += [] if net[right] else ["-S", f"{key}=n"]
    for option, key in (("config", "config-var"), ("keyvalue", "keyvalue-in-memory-data")):
        for name, value in given.get(option, {}).items():
            options += ["-S", f"{key}={name}={value}"]
    return options


def differs(expect, code, stdout, stderr):
    bad = []
    if expect.get("trap") and code != 134:
        bad.append(f"exit {code}, want a trap")
    if "exit" in expect and (code == 0 if expect["exit"] == "nonzero" else code != expect["exit"]):
        bad.append(f"exit {code}, want {expect['exit']}")
    if "stdout" in expect and stdout != expect["stdout"]:
        bad.append(f"stdout {stdout[:300]!r}")
    if "stdout_repeat" in expect and stdout != expect["stdout_repeat"][0] * expect["stdout_repeat"][1]:
        bad.append(f"{len(stdout)} characters on stdout")
    if not stdout.startswith(expect.get("stdout_prefix", "")) or not stdout.endswith(expect.get("stdout_suffix", "")):
        bad.append(f"stdout {stdout[:300]!r}")
    bad += [f"stdout lacks {text!r}" for text in expect.get("stdout_contains", []) if text not in stdout]
    bad += [f"stderr lacks {text!r}" for text in expect.get("stderr_contains", []) if not any(own in stderr for own in OWN_TEXTS.get(text, (text,)))]
    bad += [f"stderr has {text!r}" for text in expect.get("stderr_not_contains", []) if text in stderr]
    return bad and [*bad, stderr[:600]]


def feed(config, process, case):
    """stdout and stderr of a program fed as the case says."""
    stdin, patience = case["stdin"], config.slow(MINUTE)
    if case.get("stdout", {}).get("kind") == "close-after-first-read":
        os.read(process.stdout.fileno(), case["stdout"]["bytes"])
        process.stdout.close()
        stderr = process.stderr.read()
        process.wait(patience)
        return "", stderr.decode(errors="replace")
    if stdin["kind"] == "held-open-pipe":
        first = os.read(process.stdout.fileno(), 10).decode()
        process.stdout.close(), process.stdin.close()
        stderr = process.stderr.read().decode(errors="replace")
        process.wait(patience)
        wanted = case["expect"]["stdout_before_stdin"]
        return ("" if first == wanted else f"{first!r}, want {wanted!r}"), stderr
    text = stdin.get("text", "")
    before = b""
    if stdin["kind"] == "after-stdout":
        while len(before) < len(stdin["read"]) and (part := os.read(process.stdout.fileno(), 1)):
            before += part
        text = stdin["then"]
    stdout, stderr = process.communicate(text.encode(), patience)
    return (before + stdout).decode(errors="replace"), stderr.decode(errors="replace")


def command_case(config, case, base, folder, substitute):
    env = dict(config.env)
    options = options_of(config, case, folder, substitute)
    if "env_gen" in case:
        text, times = case["env_gen"]["value_repeat"]
        for number in range(case["env_gen"]["count"]):
            name = f"{case['env_gen']['prefix']}{number}"
            env[name] = text * times
            options += ["--env", name]
    call = ["--invoke", case["options"]["invoke"]] if "invoke" in case.get("options", {}) else ["--argv0", case.get("argv0", "")]
    command = [config.cusp, "run", "--opt-level", config.opt_level, *call, *options, base / case["wasm"], *case["args"]]
    stdin = os.open(folder, os.O_RDONLY) if case["stdin"]["kind"] == "dir" else subprocess.PIPE
    process = subprocess.Popen(list(map(str, command)), stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env, cwd=folder)
    try:
        stdout, stderr = feed(config, process, case)
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()
    bad = differs(case["expect"], process.returncode, stdout, stderr)
    if "stdout_before_stdin" in case["expect"] and stdout:
        bad.append(stdout)
    for after in case["expect"].get("files_after", []):
        place = next(index for index, entry in enumerate(case["dirs"]) if entry["guest"] == after["dir"])
        text = (folder / str(place) / after["path"]).read_text()
        bad += [] if text == after["text"] else [f"{after['path']} holds {text!r}"]
    return bad


def pipe_case(config, case, base):
    command = lambda env: list(map(str, [config.cusp, "run", "--opt-level", config.opt_level, *env_options({**case["env"], **env}), base / case["wasm"], *case["args"]]))
    producer = subprocess.Popen(command(case["pipe"]["producer_env"]), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, env=config.env)
    consumer = subprocess.Popen(command(case["pipe"]["consumer_env"]), stdin=producer.stdout, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=config.env)
    producer.stdout.close()
    _, stderr = consumer.communicate(timeout=config.slow(MINUTE))
    codes = producer.wait(config.slow(MINUTE)), consumer.returncode
    return [] if codes == (0, 0) else [f"exits {codes}: {stderr.decode()[:600]}"]


def proxy_case(config, case, base, folder, substitute):
    port = free_port()
    reuse = case.get("options", {}).get("max_instance_reuse_count")
    command = [config.cusp, "serve", "--opt-level", config.opt_level, "--addr", f"127.0.0.1:{port}", "--workers", "1", *config.sandbox, *options_of(config, case, folder, substitute)]
    command += ["--reuse", reuse] if reuse else []
    # Files: nobody reads along, and a pipe would fill.
    with (folder / "stdout").open("w") as out, (folder / "stderr").open("w") as err:
        process = subprocess.Popen(list(map(str, [*command, base / case["wasm"]])), stdin=subprocess.DEVNULL, stdout=out, stderr=err, env=config.env)
    bad = []

    def client():
        connection = None
        try:
            for _ in range(case["http"].get("requests_per_connection", 1)):
                for request in case["http"]["requests"]:
                    wrong, connection = ask(port, request, substitute, connection, config.slow(MINUTE))
                    bad.extend(wrong)
                    if "requests_per_connection" not in case["http"]:
                        connection = connection.close()
        except (OSError, http.client.HTTPException, zlib.error) as error:
            bad.append(repr(error))
    try:
        wait_for_server(config, process, port)
        clients = [threading.Thread(target=client) for _ in range(case["http"].get("connections", 1))]
        for one in clients:
            one.start()
        for one in clients:
            one.join(config.slow(2 * MINUTE))
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(config.slow(MINUTE))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    texts = [(folder / name).read_text(errors="replace") for name in ("stdout", "stderr")]
    return bad + differs(case["expect"], process.returncode, *texts) + ([texts[1][:600]] if bad else [])


def program(config, tally, case, base):
    if reason := missing(case):
        return tally.skip(case["name"], reason)
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(scratch())
        names = {}
        if server := case.get("http", {}).get("echo_server"):
            names["${ECHO_SERVER}"] = f"localhost:{stack.enter_context(peers.Peer(peers.telling_echo if server['protocol'] == 'http1' else peers.only_http2))}"
        if backend := case.get("http", {}).get("backend"):
            names["${BACKEND}"] = f"127.0.0.1:{stack.enter_context(peers.Peer(peers.routes(backend['routes'], backend['otherwise'])))}"

        def substitute(text):
            for name, value in names.items():
                text = text.replace(name, value)
            return text
        try:
            if case["kind"] == "pipe":
                bad = pipe_case(config, case, base)
            elif case["kind"] == "proxy":
                bad = proxy_case(config, case, base, folder, substitute)
            else:
                bad = command_case(config, case, base, folder, substitute)
        except (OSError, RuntimeError, subprocess.TimeoutExpired) as error:
            bad = [repr(error)]
    tally.check(case["name"], bad)


# --- the project's own guests
def own_command(config, tally):
    guest = config.guests / "wasi-command3.wasm"
    run = lambda **options: cusp(config, "run", "--opt-level", config.opt_level, guest, timeout=config.slow(2 * MINUTE), **options)
    for text in ("", "one line\n", "much " * 50_000):
        expect(tally, f"command3: {len(text)} characters", run(input=text), stdout=text)
    reader, writer = os.pipe()
    os.close(reader)
    process = subprocess.Popen([config.cusp, "run", "--opt-level", config.opt_level, guest], stdin=subprocess.PIPE, stdout=writer, stderr=subprocess.PIPE, env=config.env)
    os.close(writer)
    _, stderr = process.communicate(b"text", config.slow(MINUTE))
    tally.check("command3: nobody reads its output", [] if process.returncode == 1 else [f"exit {process.returncode}: {stderr!r}"])
    expect(tally, "command3 is no service", cusp(config, "serve", guest), code=1, stderr_contains=["wasi:http/handler"])


def answers(server, count, method="GET", body=None):
    """The bodies of answers to requests made at the same time, sorted."""
    got = []

    def one():
        try:
            got.append(server.request(method, "/", body)[2])
        except (OSError, http.client.HTTPException) as error:
            got.append(repr(error).encode())
    threads = [threading.Thread(target=one) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sorted(got)


def own_service(config, tally):
    guest = config.guests / "wasi-service3.wasm"
    same = lambda name, got, wanted: tally.check(f"service3: {name}", [] if got == wanted else [f"{got!r}, want {wanted!r}"])
    with Server(config, guest, "--workers", "1") as server:
        same("a fresh instance each", [server.request("GET", "/")[2] for _ in range(3)], [b"asked 1"] * 3)
        same("many at a time", answers(server, 8), [b"asked 1"] * 8)
        same("a body passes through", server.request("POST", "/", b"a body")[2], b"a body")
        large = bytes(range(256)) * 8192
        same("a large one too", server.request("PUT", "/", large)[2] == large, True)
        request = {"method": "POST", "target": "/", "headers": [["host", "localhost"]], "body": "in chunks", "chunked": 3, "trailers": {"x-end": "yes"}, "expect": {"status": 200, "body": "in chunks"}}
        bad, connection = ask(server.port, request)
        connection.close()
        tally.check("service3: chunks and trailers", bad)
        with server.connect() as client: # the first part comes while the guest waits, and before its second
            client.sendall(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n")
            seen = b""
            while b"asked " not in seen and (part := client.recv(4096)):
                seen += part
            tally.check("service3: the first part does not wait for the second", [repr(seen)] if b"asked 1" in seen or b"\r\n1\r\n" in seen else [])
        with server.connect() as client: # leaves in the middle
            client.sendall(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n")
            client.recv(10)
        same("still there", server.request("GET", "/")[2], b"asked 1")
    with Server(config, guest, "--workers", "1", "--reuse", "3") as server:
        same("three from one instance", [server.request("GET", "/")[2] for _ in range(4)], [b"asked 1", b"asked 2", b"asked 3", b"asked 1"])
        same("one at a time", answers(server, 2), [b"asked 1", b"asked 2"])
    with Server(config, guest, "--workers", "1", "--reuse", "4", "--concurrency", "4") as server:
        same("four at a time", answers(server, 4), [b"asked 1", b"asked 2", b"asked 3", b"asked 4"])
    with Server(config, guest, "--workers", "1", "--timeout", "10ms") as server:
        status = None
        with contextlib.suppress(OSError, http.client.HTTPException):
            status = server.request("GET", "/")[0]
        deadline = time.time() + config.slow(10)
        while "time limit" not in server.output() and time.time() < deadline:
            time.sleep(0.02)
        tally.check("service3: out of time", [] if status in (None, 500) and "time limit" in server.output() else [f"{status}: {server.output()[-500:]}"])


def run(config, tally):
    if not config.only:
        own_command(config, tally)
        own_service(config, tally)
    if not config.shared:
        return tally.skip("components on WASI 0.2 and 0.3", "no conformance data beside this checkout")
    base = config.shared / "spec/wasi"
    wanted = config.only
    for wasm in sorted((base / "p3-rust").glob("*.wasm")):
        if wanted in f"p3-rust {wasm.stem}":
            suite_program(config, tally, base / "p3-rust", wasm)
    for case in json.loads((base / "p2-programs.json").read_text())["tests"]:
        if case["abi"] != "p1" and wanted in case["name"]:
            program(config, tally, case, base)
