#!/usr/bin/env python3
"""Compiled code against native code and against the other engines on this machine. Each program of bench/compute/ is built natively by clang -O3, plain
and for the host's CPU, and for WASI 0.1 with and without SIMD, from the same source; every build must print the same. What is compared is CPU time:
the least of several runs in alternation, less what the same program costs when told to do nothing, so that neither start nor compilation counts.
Fused multiply-add is off everywhere, since WebAssembly has none. Then every module of the conformance data's Sightglass suite, whole processes on
precompiled code. All figures are speeds: 2.00 is twice as fast as what it is compared with."""
import argparse
import math
import os
import pathlib
import shutil
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import peers

CLANG = os.environ.get("CC", "clang-22")
NATIVE = {"native": [], "native-host": ["-march=native"]}
WASM = {"simd": ["-msimd128"], "scalar": []}
COMMON = ["-O3", "-ffp-contract=off", "-Wno-deprecated"]

# Compiling happens before the measured run where the engine can; V8 gets its optimising tier at once.
NODE_SCRIPT = """import { readFileSync } from 'node:fs'; import { WASI } from 'node:wasi';
const [file, ...args] = process.argv.slice(2);
const wasi = new WASI({ version: 'preview1', args: [file, ...args], returnOnExit: true });
const { instance } = await WebAssembly.instantiate(readFileSync(file), { wasi_snapshot_preview1: wasi.wasiImport });
process.exitCode = wasi.start(instance);
"""


class Engine:
    """`compile`: wasm and output paths → command, or None; `run`: compiled path and the guest's arguments → command."""

    def __init__(self, name, compile_command, run_command):
        self.name, self.compile_command, self.run_command = name, compile_command, run_command

    def prepare(self, wasm, output):
        if self.compile_command is None:
            return wasm
        subprocess.run(list(map(str, self.compile_command(wasm, output))), check=True, stdout=subprocess.DEVNULL, env=environment)
        return output


def engines(build, folder, wanted):
    """What is found on this machine, cusp first; says what is not."""
    found = [Engine("cusp", lambda wasm, out: [build / "cusp", "compile", wasm, "-o", out], lambda code, args, options=(): [build / "cusp", "run", *options, code, *args])]
    if wasmtime := peers.wasmtime():
        found.append(Engine("wasmtime", lambda wasm, out: [wasmtime, "compile", wasm, "-o", out],
                            lambda code, args, options=(): [wasmtime, "run", "--allow-precompiled", *options, code, *args]))
    if node := shutil.which("node"):
        script = folder / "run.mjs"
        script.write_text(NODE_SCRIPT)
        found.append(Engine("node", None, lambda code, args: [node, "--no-warnings", "--no-liftoff", script, code, *args]))
    if wasmedge := shutil.which("wasmedge"):
        found.append(Engine("wasmedge", lambda wasm, out: [wasmedge, "compile", "--optimize", "3", wasm, out], lambda code, args: [wasmedge, "run", code, *args]))
    if wasmer := shutil.which("wasmer"):
        found.append(Engine("wasmer", None, lambda code, args: [wasmer, "run", code, "--", *args]))
    names = {engine.name for engine in found}
    for name in ("wasmtime", "node", "wasmedge", "wasmer"):
        if name not in names:
            print(f"{name}: not found, left out")
    return [engine for engine in found if not wanted or engine.name in wanted]


environment = dict(os.environ)  # with a store of its own, once main has one


def run(command, cwd=None):
    """(CPU seconds of the process, its standard output). The split into user and system time is the kernel's estimate, their sum is not."""
    process = subprocess.Popen(list(map(str, command)), cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment)
    output, errors = process.stdout.read(), process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    process.stdout.close()
    process.stderr.close()
    if process.returncode != 0:
        raise SystemExit(f"{' '.join(map(str, command))}: exit {process.returncode}: {errors.decode(errors='replace')[-500:]}")
    return usage.ru_utime + usage.ru_stime, output


def build_program(source, folder):
    """variant → path of the executable or module."""
    out = {}
    for variant, flags in NATIVE.items():
        out[variant] = folder / f"{source.stem}-{variant}"
        subprocess.run([CLANG, *COMMON, *flags, source, "-o", out[variant], "-lm"], check=True)
    for variant, flags in WASM.items():
        out[variant] = folder / f"{source.stem}-{variant}.wasm"
        subprocess.run([CLANG, "--target=wasm32-wasi", *COMMON, *flags, source, "-o", out[variant], "-lm"], check=True)
    return out


def calibrate(program, seconds):
    """Rounds after which the native program has run for about that long."""
    rounds = 1
    while True:
        taken, _ = run([program, rounds])
        if taken >= seconds / 2:
            return max(1, round(rounds * seconds / taken))
        rounds *= 2 if taken < 0.02 else max(2, int(seconds / taken))


def measure(commands, rounds, runs, name):
    """label → CPU seconds of `rounds`, where commands is label → (arguments → command)."""
    idle = {label: [] for label in commands}
    busy = {label: [] for label in commands}
    expected = None
    for _ in range(runs):
        for label, command in commands.items():
            idle[label].append(run(command([]))[0])
            seconds, output = run(command([rounds]))
            busy[label].append(seconds)
            if expected is None:
                expected = output
            elif output != expected:
                raise SystemExit(f"{name}: {label} prints {output!r} where {next(iter(commands))} prints {expected!r}")
    return {label: max(1e-4, min(busy[label]) - min(idle[label])) for label in commands}


def kernels(args, folder, found):
    sources = sorted((peers.ROOT / "bench/compute").glob("*.c"))
    if args.only:
        sources = [source for source in sources if source.stem in args.only]
    columns = ["native-host"]
    for variant in WASM:
        columns += [f"{variant}: cusp/native"] + [f"/{engine.name}" for engine in found if engine.name != "cusp"]
    print("| kernel | native s | " + " | ".join(columns) + " |\n|" + "---|" * (len(columns) + 2))
    rows = []
    for source in sources:
        programs = build_program(source, folder)
        rounds = calibrate(programs["native"], args.seconds)
        commands = {variant: lambda a, p=programs[variant]: [p, *a] for variant in NATIVE}
        for variant in WASM:
            for engine in found:
                code = engine.prepare(programs[variant], folder / f"{source.stem}-{variant}.{engine.name}")
                commands[f"{variant} {engine.name}"] = lambda a, e=engine, c=code: e.run_command(c, a)
        seconds = measure(commands, rounds, args.runs, source.stem)
        row = [seconds["native"] / seconds["native-host"]]
        for variant in WASM:
            ours = seconds[f"{variant} cusp"]
            row.append(seconds["native"] / ours)
            row += [seconds[f"{variant} {engine.name}"] / ours for engine in found if engine.name != "cusp"]
        rows.append(row)
        print(f"| {source.stem} | {seconds['native']:.3f} | " + " | ".join(f"{value:.2f}" for value in row) + " |", flush=True)
    if rows:
        print("| **geometric mean** | | " + " | ".join(f"{mean(column):.2f}" for column in zip(*rows)) + " |")
        print("| **least** | | " + " | ".join(f"{min(column):.2f}" for column in zip(*rows)) + " |")


def mean(values):
    return math.exp(sum(map(math.log, values)) / len(values))


def sightglass(args, folder, found):
    suite = pathlib.Path(os.environ.get("CUSP_SHARED", peers.ROOT.parent / "shared")) / "bench/sightglass"
    pair = [engine for engine in found if engine.name in ("cusp", "wasmtime")]
    if not suite.is_dir() or len(pair) < 2:
        print(f"sightglass: left out, needs {suite} and wasmtime")
        return
    print("\n| sightglass | wasmtime s | cusp/wasmtime |\n|---|---|---|")
    ratios = []
    for module in sorted(suite.rglob("*.wasm")):
        if args.only and not any(word in str(module) for word in args.only):
            continue
        seconds, outputs = {engine.name: [] for engine in pair}, {}
        code = {engine.name: engine.prepare(module, folder / f"{module.stem}.{engine.name}") for engine in pair}
        for _ in range(args.runs):
            for engine in pair:
                command = engine.run_command(code[engine.name], [], ["-W", "unknown-imports-default=y", "--dir", "."])
                taken, outputs[engine.name] = run(command, cwd=module.parent)
                seconds[engine.name].append(taken)
        name = module.stem if module.stem != "benchmark" else module.parent.parent.name
        agree = "" if outputs["cusp"] == outputs["wasmtime"] else " (outputs differ)"
        ours, theirs = min(seconds["cusp"]), min(seconds["wasmtime"])
        ratios.append(theirs / ours)
        print(f"| {name} | {theirs:.3f} | {theirs / ours:.2f}{agree} |", flush=True)
    if ratios:
        print(f"| **geometric mean**, **least** | | {mean(ratios):.2f}, {min(ratios):.2f} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", default="build")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.25, help="about how long a kernel runs natively")
    parser.add_argument("--only", nargs="*", help="names of kernels, or parts of Sightglass modules' paths")
    parser.add_argument("--engines", nargs="*", help="of cusp, wasmtime, node, wasmedge, wasmer (default: all that are found)")
    args = parser.parse_args()
    build = (peers.ROOT / args.build).resolve()
    with peers.scratch() as folder:
        environment["XDG_CACHE_HOME"] = str(folder)
        found = engines(build, folder, args.engines)
        kernels(args, folder, found)
        sightglass(args, folder, found)


if __name__ == "__main__":
    main()
