"""Two tiers: a component never seen before is served at once, moves to optimised code under load without losing a request, and goes on
whatever becomes of the compiler in the background."""
import contextlib
import http.client
import pathlib
import shutil
import tempfile
import threading
import time

from harness import Server, free_port


def metric(port, name):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    with contextlib.closing(connection):
        connection.request("GET", "/metrics")
        for line in connection.getresponse().read().decode().splitlines():
            if line.startswith(name + " "):
                return float(line.split()[1])
    return -1


def wait_for(config, condition, seconds=60):
    deadline = time.time() + config.slow(seconds)
    while time.time() < deadline:
        if condition():
            return True
        time.sleep(0.05)
    return False


@contextlib.contextmanager
def load(server, bad, served):
    """Four clients that ask all the time, on connections that they keep for a while."""
    stop = threading.Event()

    def client():
        while not stop.is_set():
            connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=server.config.slow(30))
            try:
                for _ in range(50):
                    connection.request("GET", "/hello")
                    response = connection.getresponse()
                    if (response.status, response.read()) != (200, b"Hello"):
                        bad.append(f"status {response.status}")
                    served[0] += 1
            except (OSError, http.client.HTTPException) as error:
                bad.append(repr(error))
            finally:
                connection.close()

    threads = [threading.Thread(target=client) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def serve_and_move(config, tally, name, env, moves, log=""):
    admin, bad, served = free_port(), [], [0]
    with Server(config, config.guests / "http-kit.wasm", "--tier", "auto", "--workers", 2, "--admin", f"127.0.0.1:{admin}", env=env) as server:
        with load(server, bad, served):
            if moves and not wait_for(config, lambda: metric(admin, "cusp_code_moves_total") == 2):
                bad.append(f"{metric(admin, 'cusp_code_moves_total')} workers have moved")
            if log and not wait_for(config, lambda: log in server.output()):
                bad.append(f"the log does not say {log!r}: {server.output()[-500:]}")
            before = served[0]
            if not wait_for(config, lambda: served[0] > before + 100):
                bad.append("requests have stopped")
        if not moves and metric(admin, "cusp_code_moves_total") != 0:
            bad.append("a worker has moved")
        if not server.alive():
            bad.append("the server has ended")
        if moves:
            maps = pathlib.Path(f"/proc/{server.process.pid}/maps")
            programs = lambda: sum(" r-xp " in line and (".cusp" in line or "cusp-artifact" in line) for line in maps.read_text().splitlines())
            if not wait_for(config, lambda: programs() == 1):
                bad.append(f"{programs()} programs are mapped")
    tally.check(name, bad)


def run(config, tally):
    folder = pathlib.Path(tempfile.mkdtemp(prefix="cusp-tiers-"))
    compiler = config.env.get("CUSP_COMPILE") or str(pathlib.Path(config.cusp).parent / "cusp-compile")

    def second_compiler(name, commands):
        script = folder / name
        script.write_text(f"#!/bin/sh\nif mkdir {folder}/{name}.first 2>/dev/null; then exec {compiler} --batch; fi\n{commands}\n")
        script.chmod(0o700)
        return {"CUSP_COMPILE": str(script)}

    def environment(name, **more):
        return {**config.env, "XDG_CACHE_HOME": str(folder / name), **more}

    # As a full disk looks to whoever writes: nothing can be made there any more.
    fill = f"rm -rf {folder}/full/cusp/default; touch {folder}/full/cusp/default; exec {compiler} --batch"
    try:
        serve_and_move(config, tally, "tiers: a switch under load", environment("plain"), moves=True)
        with Server(config, config.guests / "http-kit.wasm", "--tier", "auto", env=environment("plain", CUSP_COMPILE="/nowhere")) as server:
            status = server.request("GET", "/hello")[0]
        tally.check("tiers: the store has the better one", [] if status == 200 else [f"status {status}"])
        serve_and_move(config, tally, "tiers: the compiler is killed", environment("killed", **second_compiler("killed.sh", "kill -9 $$")),
                       moves=False, log="unoptimised code: the compiler ended without an answer")
        serve_and_move(config, tally, "tiers: its parent is killed", environment("parent", **second_compiler("parent.sh", "kill -9 $PPID")),
                       moves=False, log="ended without an answer")
        (folder / "file").write_text("")
        serve_and_move(config, tally, "tiers: no store", environment("file"), moves=True)
        serve_and_move(config, tally, "tiers: the store is full", environment("full", **second_compiler("full.sh", fill)), moves=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
