"""HTTP: the project's own kit guest and, where the conformance data is there, every component of it."""
import json
import pathlib
import signal
import threading
import time

from harness import ROOT, Server, http_cases


def drain(config, tally):
    """SIGTERM finishes what is in flight, refuses what is new, then ends with 0."""
    for name, number in (("SIGTERM", signal.SIGTERM), ("SIGINT", signal.SIGINT)):
        with Server(config, config.guests / "http-kit.wasm") as server:
            result = {}

            def ask():
                try:
                    result["answer"] = server.request("GET", "/sleep?ms=1000")
                except OSError as error:
                    result["error"] = error

            thread = threading.Thread(target=ask)
            thread.start()
            time.sleep(0.4)
            server.process.send_signal(number)
            thread.join()
            code = server.process.wait(config.slow(20))
            bad = [] if result.get("answer", (0,))[0] == 200 else [f"the request in flight got {result}"]
            tally.check(f"{name} drains", bad + ([f"exit code {code}"] if code else []))


def operations(config, tally):
    """Health page, admin page with metrics, access log."""
    from harness import free_port
    admin = free_port()
    with Server(config, config.guests / "http-kit.wasm", "--admin", f"127.0.0.1:{admin}", "--log-format", "json") as server:
        status, _, _ = server.request("GET", "/.well-known/cusp/health")
        tally.check("health page", [] if status == 200 else [f"status {status}"])
        server.request("GET", "/hello")
        server.request("GET", "/trap")
        server.request("GET", "/log")
        server_port, server.port = server.port, admin
        status, _, page = server.request("GET", "/metrics")
        server.port = server_port
        text = page.decode()
        wanted = ["cusp_requests_total", "cusp_errors_total", "cusp_instances_alive", "cusp_queue", "cusp_request_seconds_bucket",
                  "cusp_instantiation_seconds", "cusp_reset_seconds"]
        tally.check("metrics page", [f"status {status}"] * (status != 200) + [f"no {name}" for name in wanted if name not in text])
        time.sleep(0.5)
        log = server.output()
        lines = [json.loads(line) for line in log.splitlines() if line.startswith("{")]
        hello = [line for line in lines if line.get("path") == "/hello"]
        tally.check("access log", [] if hello and hello[0].get("status") == 200 else [f"no line for /hello in {log[-800:]}"])
        tally.check("guest output is prefixed", [f"{want!r} not in the log" for want in ("to stdout", "to stderr") if want not in log])
        tally.check("trap backtrace in the log", [] if "unreachable" in log and "backtrace" in log else [log[-800:]])


def run(config, tally):
    http_cases(config, tally, config.guests / "http-kit.wasm", ROOT / "tests/guests/http-kit.expect.json", "http-kit")
    http_cases(config, tally, config.guests / "hello-http.wasm", ROOT / "tests/guests/hello-http.expect.json", "hello-http")
    drain(config, tally)
    operations(config, tally)
    if not config.shared:
        tally.skip("real components", "no conformance data beside this checkout")
        return
    for spec in sorted(pathlib.Path(config.shared, "guests/http").glob("*.expect.json")):
        name = spec.name.removesuffix(".expect.json")
        features = json.loads(spec.read_text()).get("serve", {}).get("features", [])
        if "p3" in features:
            tally.skip(name, "needs WASI 0.3")
        elif config.sanitized and spec.with_name(name + ".wasm").stat().st_size > 1 << 20:
            tally.skip(name, "large components run in the optimised build only")
        else:
            http_cases(config, tally, spec.with_name(name + ".wasm"), spec, name)
