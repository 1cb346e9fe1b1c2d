#!/usr/bin/env python3
"""Calls between components, timed from inside a guest (bench/call: a caller composed with a callee): cusp against Wasmtime, in alternation.
Then a host's calls into a guest and a guest's into its host (bench/call.cpp)."""
import json
import pathlib
import statistics
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import peers

WASM_TOOLS = peers.TOOLS / "wasm-tools"
SOURCES = pathlib.Path(__file__).resolve().parent / "call"
ROWS = ["add(u32, u32)", "length(16 B)", "echo(16 B)", "length(1 KiB)", "echo(1 KiB)", "length(1 MiB)", "echo(1 MiB)",
        "sum(1000 records)", "bump(borrowed)", "new + drop"]


def run(*command, **options):
    return subprocess.run(list(map(str, command)), check=True, text=True, stdout=subprocess.PIPE, **options).stdout


def compose(cusp, folder):
    """The benchmark's component, made with the project's own tools."""
    for side in ("caller", "callee"):
        run("clang-22", "--target=wasm32-wasi", "-O2", "-Wall", "-Wextra", "-Werror", "-Wno-deprecated", "-mexec-model=reactor",
            SOURCES / f"{side}.c", "-o", folder / f"{side}.core.wasm")
        run(cusp, "componentize", folder / f"{side}.core.wasm", "--wit", SOURCES / "wit", "--world", f"{side}-side",
            "-o", folder / f"{side}.wasm")
    run(cusp, "compose", "-q", folder / "caller.wasm", "--plug", folder / "callee.wasm", "-o", folder / "calls.wasm")
    return folder / "calls.wasm"


def main():
    parser = peers.arguments(__doc__)
    parser.set_defaults(runs=3)
    args = parser.parse_args()
    build = (peers.ROOT / args.build).resolve()
    with peers.scratch() as folder:
        component = compose(build / "cusp", folder)
        commands = {"cusp": [build / "cusp", "run", "--opt-level", "2", "--invoke", "run()", component]}
        if wasmtime := peers.wasmtime():
            run(wasmtime, "compile", component, "-o", folder / "calls.cwasm")
            commands["wasmtime"] = [wasmtime, "run", "--allow-precompiled", "--invoke", "run()", folder / "calls.cwasm"]
        env = dict(peers.os.environ, XDG_CACHE_HOME=str(folder))
        results = {name: [] for name in commands}
        for _ in range(args.runs):
            for name, command in commands.items():
                results[name].append(json.loads(run(*command, env=env)))
        print(f"{'ns per call, best of ' + str(args.runs):28}" + "".join(f"{name:>14}" for name in commands))
        for i, row in enumerate(ROWS):
            least = {name: min(times[i] for times in results[name]) for name in commands}
            line = f"{row:28}" + "".join(f"{time:14.2f}" for time in least.values())
            if "wasmtime" in least:
                ratios = [w[i] / c[i] for c, w in zip(results["cusp"], results["wasmtime"])]
                line += f"   wasmtime/cusp {statistics.median(ratios):6.2f} ({min(ratios):.2f}-{max(ratios):.2f})"
            print(line)
        run(WASM_TOOLS, "parse", SOURCES / "host.wat", "-o", folder / "host.wasm")
        print(run(build / "bench/call", folder / "host.wasm", env=env), end="")


if __name__ == "__main__":
    main()
