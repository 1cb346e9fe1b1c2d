#!/usr/bin/env python3
"""Compiling: both tiers, and the optimising one again after a change of one function, against `wasmtime compile`, in alternation. Wall and CPU time
and peak memory of everything that a command starts."""
import os
import pathlib
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import peers

GUESTS = ("rust-hello-http.wasm", "rust-http-kit.wasm", "js-hello-fetch.wasm", "py-hello-http.wasm")


def measured(command, env):
    """(wall s, CPU s, peak MiB); None when the command fails."""
    start = time.perf_counter()
    process = subprocess.Popen(list(map(str, command)), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=env)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        return None
    return time.perf_counter() - start, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def leb(data, at):
    value, shift = 0, 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, at


def sections(data, at, end):
    while at < end:
        kind = data[at]
        size, start = leb(data, at + 1)
        yield kind, start, start + size
        at = start + size


def bodies(data):
    """(start, end) of every function body of the core module with the largest code section."""
    modules = [(0, len(data))]
    if data[6] == 1:  # a component: its sections 1 are core modules
        modules = [(start, end) for kind, start, end in sections(data, 8, len(data)) if kind == 1]
    codes = [section for start, end in modules for section in sections(data, start + 8, end) if section[0] == 10]
    _, at, _ = max(codes, key=lambda code: code[2] - code[1])
    count, at = leb(data, at)
    for _ in range(count):
        size, at = leb(data, at)
        yield at, at + size
        at += size


def with_one_change(data, skip):
    """Another constant in one function from the middle on: `i32.const k; i32.add`. What looks like one need not be one: then skip it."""
    all_bodies = list(bodies(data))
    for start, end in all_bodies[len(all_bodies) // 2:]:
        at = start
        while (at := data.find(b"\x41", at, end)) >= 0:
            if at + 2 < end and data[at + 1] < 0x3F and data[at + 2] == 0x6A:
                if skip == 0:
                    return data[:at + 1] + bytes([data[at + 1] ^ 1]) + data[at + 2:]
                skip -= 1
                break
            at += 1
    return None


def main():
    parser = peers.arguments(__doc__)
    parser.set_defaults(runs=3)
    parser.add_argument("guests", nargs="*", help=f"wasm files (default: {', '.join(GUESTS)} of the conformance data)")
    args = parser.parse_args()
    cusp = (peers.ROOT / args.build).resolve() / "cusp"
    shared = pathlib.Path(os.environ.get("CUSP_SHARED", peers.ROOT.parent / "shared")) / "guests/http"
    for guest in map(pathlib.Path, args.guests or [shared / name for name in GUESTS]):
        if not guest.exists():
            print(f"{guest.name}: absent")
            continue
        with peers.scratch() as folder:
            out = folder / "out"
            commands = {"first tier": [cusp, "compile", "--opt-level", "0", "--no-cache", guest, "-o", out]}
            if wasmtime := peers.wasmtime():
                commands["wasmtime"] = [wasmtime, "compile", "-W", "component-model-async", guest, "-o", out]
            results = {name: [] for name in [*commands, "optimising", "one function"]}
            for run in range(args.runs):
                env = dict(os.environ, XDG_CACHE_HOME=str(folder / f"store{run}"))
                for name, command in commands.items():
                    results[name].append(measured(command, env))
                results["optimising"].append(measured([cusp, "compile", guest, "-o", out], env))
                changed = folder / "changed.wasm"
                for skip in range(20):
                    if (data := with_one_change(guest.read_bytes(), skip + 20 * run)) is None:
                        break
                    changed.write_bytes(data)
                    if again := measured([cusp, "compile", changed, "-o", out], env):
                        results["one function"].append(again)
                        break
            print(f"{guest.name}, {guest.stat().st_size / 1e6:.2f} MB")
            for name, runs in results.items():
                if not runs or not all(runs):
                    print(f"  {name:12} failed")
                    continue
                walls, cpus, peaks = zip(*runs)
                ratio = ""
                if "wasmtime" in results and all(results["wasmtime"]):
                    theirs = peers.median([r[1] for r in results["wasmtime"]])
                    ratio = f", {peers.median(cpus) / theirs:.2f} x wasmtime's CPU"
                print(f"  {name:12} {peers.median(walls):8.3f} s wall, {peers.median(cpus):8.3f} s CPU, peak {peers.median(peaks):6.1f} MiB{ratio}", flush=True)


if __name__ == "__main__":
    main()
