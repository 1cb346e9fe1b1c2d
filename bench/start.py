#!/usr/bin/env python3
"""Process start to exit: `cusp run` of a cached hello component against `wasmtime run` of a precompiled one, in alternation; and how long
`cusp serve` of a cached app takes until it listens."""
import os
import pathlib
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import peers


def timed(command, env):
    """(wall ms, peak resident KiB) of one run."""
    start = time.perf_counter_ns()
    process = subprocess.Popen(list(map(str, command)), stdout=subprocess.DEVNULL, env=env)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise SystemExit(f"{command}: exit {process.returncode}")
    return (time.perf_counter_ns() - start) / 1e6, usage.ru_maxrss


def listening(build, app, env):
    port = peers.free_port()
    start = time.perf_counter_ns()
    server = peers.Pinned("cusp", [build / "cusp", "serve", "--addr", f"127.0.0.1:{port}", app], port, env=env)
    try:
        while True:
            try:
                peers.socket.create_connection(("127.0.0.1", port), 1).close()
                return (time.perf_counter_ns() - start) / 1e6
            except OSError:
                if server.process.poll() is not None:
                    raise SystemExit("cusp serve ended")
                time.sleep(0.0005)
    finally:
        server.stop()


def main():
    parser = peers.arguments(__doc__)
    parser.set_defaults(runs=40)
    args = parser.parse_args()
    build = (peers.ROOT / args.build).resolve()
    guest = build / "guests/cli-tour.wasm"
    shared = pathlib.Path(os.environ.get("CUSP_SHARED", peers.ROOT.parent / "shared")) / "guests"
    with peers.scratch() as folder:
        env = dict(os.environ, XDG_CACHE_HOME=str(folder))
        commands = {"cusp": [build / "cusp", "run", guest]}
        subprocess.run([build / "cusp", "run", "--tier", "optimising", guest], env=env, check=True, stdout=subprocess.DEVNULL)
        if wasmtime := peers.wasmtime():
            subprocess.run([wasmtime, "compile", guest, "-o", folder / "tour.cwasm"], check=True)
            commands["wasmtime"] = [wasmtime, "run", "--allow-precompiled", folder / "tour.cwasm"]
        commands["true"] = ["/bin/true"]
        results = {name: [] for name in commands}
        for _ in range(args.runs):
            for name, command in commands.items():
                results[name].append(timed(command, env))
        for name, runs in results.items():
            walls, peaks = zip(*runs)
            print(f"{name:10} {peers.median(walls):7.2f} ms ({peers.spread(walls)}), peak {peers.median(peaks) / 1024:.1f} MiB")
        if "wasmtime" in results:
            ratios = [ours[0] / theirs[0] for ours, theirs in zip(results["cusp"], results["wasmtime"])]
            print(f"cusp / wasmtime: {peers.median(ratios):.2f} ({peers.spread(ratios)})")
        for app in [build / "guests/hello-http.wasm", *(shared / "http" / n for n in ("rust-hello-http.wasm", "js-hello-fetch.wasm", "py-hello-http.wasm"))]:
            if app.exists():
                started = time.time()
                subprocess.run([build / "cusp", "compile", "--opt-level", "2", app, "-o", folder / "x.cusp"], env=env, check=True)
                compiled = time.time() - started
                subprocess.run([build / "cusp", "compile", app, "-o", folder / "x.cusp"], env=env, check=True)
                times = [listening(build, app, env) for _ in range(5)]
                print(f"serve {app.name}: compiled in {compiled:.1f} s; listens after {peers.median(times):.1f} ms ({peers.spread(times)}) from the store")


if __name__ == "__main__":
    main()
