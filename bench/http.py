#!/usr/bin/env python3
"""Hello over HTTP/1.1 with a fresh instance for every request: cusp, `wasmtime serve`, nginx's static reply; one core for the server, another for
wrk, runs in alternation. Prints requests/s, P50, P99, resident memory, and the ratios taken run by run."""
import os
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import peers


def main():
    parser = peers.arguments(__doc__)
    parser.add_argument("--app", help="the component (default: the conformance data's Rust hello, else examples/hello-http)")
    args = parser.parse_args()
    build = (peers.ROOT / args.build).resolve()
    shared = pathlib.Path(os.environ.get("CUSP_SHARED", peers.ROOT.parent / "shared")) / "guests/http/rust-hello-http.wasm"
    app = pathlib.Path(args.app) if args.app else shared if shared.exists() else build / "guests/hello-http.wasm"
    print(f"app: {app.name}; {args.runs} runs of {args.seconds} s each, in alternation; wrk -t1 -c32")
    with peers.scratch() as folder:
        artifact = folder / "app.cusp"
        subprocess.run([build / "cusp", "compile", app, "-o", artifact], check=True)
        ports = {name: peers.free_port() for name in ("cusp", "wasmtime", "nginx")}
        commands = {"cusp": [build / "cusp", "serve", "--addr", f"127.0.0.1:{ports['cusp']}", "--workers", "1", artifact]}
        if wasmtime := peers.wasmtime():
            subprocess.run([wasmtime, "compile", app, "-o", folder / "app.cwasm"], check=True)
            commands["wasmtime"] = [wasmtime, "serve", "-S", "cli", "--allow-precompiled", "--addr", f"127.0.0.1:{ports['wasmtime']}", folder / "app.cwasm"]
        else:
            print("wasmtime: not found, left out")
        if os.path.exists("/usr/sbin/nginx"):
            commands["nginx"] = peers.nginx(folder, ports["nginx"], "Hello")
        else:
            print("nginx: not found, left out")
        servers = {name: peers.Pinned(name, command, ports[name]) for name, command in commands.items()}
        try:
            idle = {name: server.wait().resident_kib() for name, server in servers.items()}
            results = {name: [] for name in servers}
            for name in servers:
                peers.wrk(f"http://127.0.0.1:{ports[name]}/", 1)
            for _ in range(args.runs):
                for name in servers:
                    results[name].append(peers.wrk(f"http://127.0.0.1:{ports[name]}/", args.seconds))
            print(f"{'':10} {'requests/s':>12} {'P50 ms':>8} {'P99 ms':>8} {'idle MiB':>9} {'loaded MiB':>10}")
            for name, runs in results.items():
                rate, p50, p99 = (peers.median(column) for column in zip(*runs))
                print(f"{name:10} {rate:12.0f} {p50:8.2f} {p99:8.2f} {idle[name] / 1024:9.1f} {servers[name].resident_kib() / 1024:10.1f}")
            for peer in ("wasmtime", "nginx"):
                if peer in results:
                    ratios = [ours[0] / theirs[0] for ours, theirs in zip(results["cusp"], results[peer])]
                    print(f"cusp / {peer}: {peers.median(ratios):.2f} ({peers.spread(ratios)})")
        finally:
            for server in servers.values():
                server.stop()


if __name__ == "__main__":
    main()
