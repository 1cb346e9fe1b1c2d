"""Faults: guests that misbehave and clients that do. The server stays up, other requests are unaffected, memory comes back."""
import contextlib
import http.client
import random
import socket
import threading
import time

from harness import Server


def status_of(reply):
    return int(reply.split(b" ", 2)[1]) if reply.startswith(b"HTTP/1.") else None


def malformed_clients(config, tally, server):
    cases = {
        "garbage": (b"\x00\xff\x13garbage\r\n\r\n", {400}),
        "no version": (b"GET /\r\n\r\n", {400}),
        "no host": (b"GET /hello HTTP/1.1\r\n\r\n", {400}),
        "content-length and chunked": (b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", {400}),
        "two content-lengths": (b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", {400}),
        "negative content-length": (b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: -3\r\n\r\n", {400}),
        "folded header": (b"GET /hello HTTP/1.1\r\nHost: a\r\nX: a\r\n b\r\n\r\n", {400}),
        "space before colon": (b"GET /hello HTTP/1.1\r\nHost: a\r\nX : a\r\n\r\n", {400}),
        "huge header": (b"GET /hello HTTP/1.1\r\nHost: a\r\nX: " + b"a" * (1 << 20), {431, 400}),
    }
    for name, (data, wanted) in cases.items():
        reply = server.raw(data)
        tally.check(f"client sends {name}", [] if status_of(reply) in wanted else [f"answer {reply[:120]!r}, want {wanted}"])
    reply = server.raw(b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nab\r\n0\r\n\r\n")
    ok = status_of(reply) in (400, 500, None) or not reply.endswith(b"0\r\n\r\n")
    tally.check("client sends a bad chunk size", [] if ok else [f"answer {reply[:200]!r}"])


def endless_header(config, tally, server):
    """A client that never stops sending header bytes is cut off long before 1 GB."""
    sent = 0
    with server.connect() as s, contextlib.suppress(OSError):
        s.sendall(b"GET /hello HTTP/1.1\r\nHost: a\r\n")
        line = b"X-Padding: " + b"a" * 8000 + b"\r\n"
        while sent < 1 << 30:
            s.sendall(line)
            sent += len(line)
    tally.check("endless header", [] if sent < 64 << 20 else [f"the server took {sent} bytes of header"])


def half_requests(config, tally, server):
    """Connections that send half a request and vanish, or stay silent, leave nothing behind."""
    before = server.resident_kib()
    for _ in range(200):
        s = server.connect()
        s.sendall(random.choice([b"GET /he", b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\nabc", b"GET /sleep?ms=200 HTTP/1.1\r\nHost: a\r\n\r\n"]))
        if random.random() < 0.5:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
        s.close()
    time.sleep(0.5)
    status, _, body = server.request("GET", "/hello")
    after = server.resident_kib()
    allowed = 8192 * (20 if config.sanitized else 1)
    bad = [] if (status, body) == (200, b"Hello") else [f"{status} {body!r}"]
    tally.check("vanishing clients", bad + ([f"resident grew from {before} to {after} KiB"] if after > before + allowed else []))


def neighbours(config, tally, server, seconds=None):
    """While some guests trap, loop and exhaust memory, and some clients vanish or talk nonsense, others answer as always."""
    stop, bad, served = threading.Event(), [], [0]

    def polite():
        while not stop.is_set():
            try:
                status, _, body = server.request("GET", "/hello")
                if (status, body) != (200, b"Hello"):
                    bad.append(f"/hello gave {status} {body[:60]!r}")
                served[0] += 1
            except (OSError, http.client.HTTPException) as error:
                bad.append(f"/hello: {error!r}")

    def rude():
        paths = ["/trap", "/out-of-bounds", "/stack-overflow", "/oom", "/half", "/half-then-trap", "/no-response", "/spin-forever", "/too-long"]
        while not stop.is_set():
            with contextlib.suppress(OSError, http.client.HTTPException):
                server.request("GET", random.choice(paths))

    def vanishing():
        while not stop.is_set():
            with contextlib.suppress(OSError), server.connect() as s:
                s.sendall(b"GET /endless HTTP/1.1\r\nHost: a\r\n\r\n")
                s.recv(1000)

    def echoing():
        body = random.randbytes(300_000)
        while not stop.is_set():
            try:
                if server.request("POST", "/echo", body)[2] != body:
                    bad.append("/echo changed its body")
            except (OSError, http.client.HTTPException) as error:
                bad.append(f"/echo: {error!r}")

    def nonsense():
        while not stop.is_set():
            with contextlib.suppress(OSError), server.connect() as s:
                s.sendall(random.choice([random.randbytes(200), b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 99\r\n\r\nab", b"GET /he"]))

    threads = [threading.Thread(target=f) for f in (polite, polite, echoing, rude, rude, rude, vanishing, nonsense)]
    for thread in threads:
        thread.start()
    time.sleep(seconds or (10 if config.sanitized else 6))
    stop.set()
    for thread in threads:
        thread.join()
    tally.check("neighbours of faulty guests", bad[:3] + ([] if served[0] > 20 else [f"only {served[0]} answers"]))


def memory_returns(config, tally, server):
    def settle():
        for _ in range(20):
            server.request("GET", "/hello")
        return server.resident_kib()
    for _ in range(3):
        server.request("GET", "/oom")
    first = settle()
    for _ in range(60):
        server.request("GET", "/oom")
        with contextlib.suppress(OSError, http.client.HTTPException):
            server.request("GET", "/stack-overflow")
    last = settle()
    tally.check("memory returns", [f"resident grew from {first} to {last} KiB"] if last > first + 8192 * (10 if config.sanitized else 1) else [])


def full(config, tally):
    """Beyond --max-concurrency the answer is 503, at once; afterwards the server serves again."""
    with Server(config, config.guests / "http-kit.wasm", "--max-concurrency", "2", "--workers", "1") as server:
        codes = []

        def sleeper():
            with contextlib.suppress(OSError):
                codes.append(server.request("GET", "/sleep?ms=1500")[0])

        threads = [threading.Thread(target=sleeper) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        status = server.request("GET", "/hello")[0]
        bad = [] if codes.count(503) >= 1 and codes.count(200) >= 2 and set(codes) <= {200, 503} else [f"codes {codes}"]
        tally.check("503 when full", bad + ([f"then {status}"] if status != 200 else []))


def soak(config, tally):
    """Mixed load with faults for config.minutes, memory looked at between rounds. A part of its own: `run.py soak --minutes 10`."""
    with Server(config, config.guests / "http-kit.wasm", "--timeout", "1s", "--max-memory", "64MiB") as server:
        neighbours(config, tally, server, 20)
        first, end = server.resident_kib(), time.time() + 60 * config.minutes
        while time.time() < end and server.alive():
            neighbours(config, tally, server, min(60, max(5, end - time.time())))
            print(f"   soak: resident {server.resident_kib()} KiB, at first {first} KiB", flush=True)
        last, log = server.resident_kib(), server.output()
        tally.check("soak: alive", [] if server.alive() else [log[-3000:]])
        tally.check("soak: memory", [f"resident grew from {first} to {last} KiB"] if last > 1.5 * first + 16384 else [])
        tally.check("soak: sanitizers are silent", [log[log.find("Sanitizer") - 200:][:4000]] if "Sanitizer" in log or "runtime error:" in log else [])


def run(config, tally):
    options = ["--timeout", "1s", "--max-memory", "64MiB", "--workers", "1"]
    with Server(config, config.guests / "http-kit.wasm", *options) as server:
        for part in (malformed_clients, endless_header, half_requests, neighbours, memory_returns):
            part(config, tally, server)
            tally.check(f"alive after {part.__name__}", [] if server.alive() else [server.output()[-3000:]])
        log = server.output()
        tally.check("sanitizers are silent", [log[log.find("Sanitizer") - 200:][:4000]] if "Sanitizer" in log or "runtime error:" in log else [])
    full(config, tally)
