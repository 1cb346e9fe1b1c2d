"""Differential fuzzing: random modules run under Wasmtime, which says what every call returns or how it traps; the answers become scripts
in the form of the specification suites, and `cusp wast` must agree at every level and with either kind of bounds check.

Whatever disagrees is kept, module and script, with the command that repeats it. Run by `scripts/dev fuzz`; docs/fuzzing.md says more."""
import argparse
import json
import pathlib
import random
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import time

import wasmtime

# Where the address space bounds a memory, a load that traps may be overtaken by a later trap, and one whose value algebra finds useless may
# go (docs/core-features.md): calls that end in such a trap are compared where code checks, and only there.
CONFIGURATIONS = {
    "O0": ("guard", ["--opt-level", "0"]),
    "O2": ("guard", ["--opt-level", "2"]),
    "O2-explicit": ("explicit", ["--opt-level", "2", "--bounds", "explicit"]),
}
LINE = re.compile(r"^(\S+): (\d+) passed, (\d+) failed, (\d+) skipped$", re.M)
FUEL = 20_000_000
SMITH = ["--max-imports", "0", "--canonicalize-nans", "true", "--max-memory32-bytes", "262144", "--max-memory64-bytes",
         "262144", "--memory-max-size-required", "true", "--table-max-size-required", "true", "--max-table-elements", "1000", "--relaxed-simd-enabled",
         "false", "--custom-page-sizes-enabled", "true", "--wide-arithmetic-enabled", "true", "--limit-arrays-in-const-exprs", "true", "--max-memories", "3",
         "--compact-imports-enabled", "false", "--ensure-termination", "--fuel", "400"]


class Unusable(Exception):
    """This module, or what comes after this call, says nothing: out of fuel or stack, or a limit of the oracle's own."""


def engine():
    config = wasmtime.Config()
    config.consume_fuel = True
    for feature in ("threads", "tail_call", "reference_types", "simd", "bulk_memory", "multi_value", "multi_memory", "memory64", "relaxed_simd", "function_references",
                    "gc", "exceptions", "wide_arithmetic", "custom_page_sizes", "extended_const"):
        try:
            setattr(config, f"wasm_{feature}", True)
        except (AttributeError, wasmtime.WasmtimeError):
            pass
    return wasmtime.Engine(config)


def random_value(rng, kind):
    width = 32 if kind.endswith("32") else 64
    if kind[0] == "i":
        value = rng.choice([0, 1, 2, -1, 1 << (width - 1), (1 << (width - 1)) - 1, rng.getrandbits(width), rng.getrandbits(8), 1 << rng.randrange(width)])
        value &= (1 << width) - 1
        return value - (1 << width) if value >> (width - 1) else value
    value = rng.choice([0.0, -0.0, 1.0, -1.5, 2147483648.0, -2147483649.0, 9.2e18, 1e-40, 3.4e38, float("inf"), float("nan"), rng.uniform(-1e6, 1e6)])
    return struct.unpack("<f", struct.pack("<f", value))[0] if width == 32 else value


def as_json(kind, value, expected=False):
    if kind[0] == "i":
        return {"type": kind, "value": str(value)}
    if value != value:
        return {"type": kind, "value": "nan:canonical" if expected else str(0x7FC00000 if kind == "f32" else 0x7FF8000000000000)}
    code, bits = ("<f", "<I") if kind == "f32" else ("<d", "<Q")
    return {"type": kind, "value": str(struct.unpack(bits, struct.pack(code, value))[0])}


def trap_text(error):
    text = str(error)
    if "fuel" in text or "stack exhausted" in text or "out of memory" in text or "heap" in text or "allocation size" in text:
        raise Unusable(text.splitlines()[-1])
    found = re.search(r"wasm trap: (.*)", text)
    if found:
        return found.group(1).strip()
    if "exception" in text:
        return "uncaught exception"
    raise Unusable(text)


class Script:
    """One module, its calls and what Wasmtime answers."""

    def __init__(self, eng, path, rng):
        self.engine, self.path, self.rng = eng, path, rng
        self.module = wasmtime.Module(eng, path.read_bytes())
        self.commands = []
        self.nans_are_open = path.stem.startswith("smith")

    def instantiate(self):
        self.store = wasmtime.Store(self.engine)
        self.store.set_fuel(FUEL)
        file = {"line": len(self.commands) + 1, "filename": "module.wasm", "module_type": "binary"}
        try:
            self.instance = wasmtime.Instance(self.store, self.module, [])
        except (wasmtime.Trap, wasmtime.WasmtimeError) as error:
            self.commands.append({"type": "assert_uninstantiable", **file, "text": trap_text(error)})
            return False
        self.commands.append({"type": "module", **file})
        return True

    def call(self, name, kind):
        params, results = [str(p) for p in kind.params], [str(r) for r in kind.results]
        arguments = [random_value(self.rng, p) for p in params]
        action = {"type": "invoke", "field": name, "args": [as_json(p, a) for p, a in zip(params, arguments)]}
        head = {"line": len(self.commands) + 1, "action": action}
        try:
            answer = self.instance.exports(self.store)[name](self.store, *arguments)
        except (wasmtime.Trap, wasmtime.WasmtimeError) as error:
            text = trap_text(error)
            self.commands.append({"type": "assert_exception", **head} if text == "uncaught exception" else {"type": "assert_trap", **head, "text": text})
            return False
        answer = [] if answer is None else list(answer) if isinstance(answer, (list, tuple)) else [answer]
        if self.nans_are_open and any(a != a for a in answer):
            self.commands.append({"type": "action", **head})  # a constant's payload, which the oracle's language does not keep
        else:
            self.commands.append({"type": "assert_return", **head, "expected": [as_json(r, a, True) for r, a in zip(results, answer)]})
        return True

    def run(self, rounds):
        numbers = {"i32", "i64", "f32", "f64"}
        calls = [(e.name, e.type) for e in self.module.exports if isinstance(e.type, wasmtime.FuncType)
                 and {str(t) for t in e.type.params + e.type.results} <= numbers]
        try:
            alive = self.instantiate()
            for _ in range(rounds if alive else 0):
                for name, kind in calls:
                    # What a trap leaves in the memory is not compared: stores before it may not have happened yet.
                    if not self.call(name, kind) and not self.instantiate():
                        return
        except Unusable:
            pass

    def write(self, scripts):
        bounded = [c for c in self.commands if c.get("text") != "out of bounds memory access"]
        for kind, commands in (("explicit", self.commands), ("guard", bounded)):
            folder = scripts / kind / self.path.stem
            folder.mkdir(parents=True)
            shutil.copy(self.path, folder / "module.wasm")
            (folder / f"{folder.name}.json").write_text(json.dumps({"source_filename": self.path.name, "commands": commands}))


def make_modules(config, folder, first, count):
    subprocess.run([config.build / "fuzz/cusp-fuzz-gen", folder, str(first), str(count)], check=True)
    template = folder.parent / "exports.wasm"
    subprocess.run([config.wasm_tools, "parse", pathlib.Path(__file__).with_name("exports.wat"), "-o", template], check=True)
    rng = random.Random(first)
    for seed in range(first, first + count):
        data = rng.randbytes(rng.choice([200, 1000, 4000]))
        gc = ["--gc-enabled", "true" if seed % 3 == 0 else "false"]
        subprocess.run([config.wasm_tools, "smith", *SMITH, *gc, "--exports", template, "-o", folder / f"smith-{seed}.wasm"], input=data, capture_output=True)


def batch(config, eng, first, count, tally):
    with tempfile.TemporaryDirectory() as scratch:
        modules, scripts = pathlib.Path(scratch, "modules"), pathlib.Path(scratch, "scripts")
        modules.mkdir()
        make_modules(config, modules, first, count)
        for path in sorted(modules.glob("*.wasm")):
            try:
                script = Script(eng, path, random.Random(path.stem))
            except wasmtime.WasmtimeError:
                tally["refused by the oracle"] += 1
                continue
            script.run(2)
            tally["modules"] += 1
            script.write(scripts)
        for name, (kind, options) in CONFIGURATIONS.items():
            judge(config, scripts / kind, name, options, tally)


def judge(config, scripts, name, options, tally):
    command = [config.build / "cusp", "wast", "--scripts", *options, scripts]
    try:
        result = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=600)
        output, status = result.stdout + result.stderr, result.returncode
    except subprocess.TimeoutExpired as expired:
        output, status = f"no answer within 600 s: {expired.stdout}", "timeout"
    seen = {pathlib.Path(path).parent.name: (int(p), int(f)) for path, p, f, _ in LINE.findall(output)}
    tally["calls"] += sum(p + f for p, f in seen.values())
    expected = {folder.name for folder in scripts.iterdir()}
    for script in expected if status not in (0, 1) else {s for s, (_, failed) in seen.items() if failed} | (expected - seen.keys()):
        keep(config, scripts / script, name, options, output)
        tally["findings"] += 1


def keep(config, folder, name, options, output):
    kept = config.keep / f"{folder.name}-{name}"
    shutil.copytree(folder, kept, dirs_exist_ok=True)
    (kept / "output.txt").write_text(output)
    print(f"\nFINDING {kept}\n  repeat: {config.build}/cusp wast {' '.join(options)} {kept / (folder.name + '.json')}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=pathlib.Path, default="build", help="build folder with cusp, cusp-compile and fuzz/cusp-fuzz-gen")
    parser.add_argument("--wasm-tools", default="wasm-tools", help="the wasm-tools program")
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--seed", type=int, default=None, help="the first seed (default: the time)")
    parser.add_argument("--count", type=int, default=20, help="seeds in a batch; each makes one module of either generator")
    parser.add_argument("--keep", type=pathlib.Path, default="fuzz-findings", help="where findings are kept")
    config = parser.parse_args()
    config.keep.mkdir(parents=True, exist_ok=True)
    seed = config.seed if config.seed is not None else int(time.time()) * 1000
    tally = {"modules": 0, "calls": 0, "refused by the oracle": 0, "findings": 0}
    eng, end = engine(), time.monotonic() + config.minutes * 60
    print(f"seeds from {seed}", flush=True)
    while time.monotonic() < end:
        batch(config, eng, seed, config.count, tally)
        seed += config.count
        line = ", ".join(f"{n} {what}" for what, n in tally.items())
        print(f"\r{line}" if sys.stdout.isatty() else line, end="" if sys.stdout.isatty() else "\n", flush=True)
    print(f"\n{tally['findings']} findings" if tally["findings"] else "\nno findings")
    return 1 if tally["findings"] else 0


if __name__ == "__main__":
    sys.exit(main())
