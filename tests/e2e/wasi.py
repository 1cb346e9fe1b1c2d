"""WASI 0.1 in `cusp run`: the project's own guest, and, beside conformance data, the public suites and real programs."""
import contextlib
import json
import os
import pathlib
import pty
import shutil
import socket
import subprocess
import tempfile
import time

from commands import cusp, expect
from harness import free_port

SUITES = ["p1-c", "p1-rust", "p1-as"]
MINUTE = 60


@contextlib.contextmanager
def scratch():
    """A folder of one's own."""
    folder = tempfile.mkdtemp(prefix="cusp-wasi-")
    try:
        yield pathlib.Path(folder)
    finally:
        subprocess.run(["chmod", "-R", "u+rwX", folder], check=False)
        shutil.rmtree(folder, ignore_errors=True)


def run_core(config, *args, **options):
    return cusp(config, "run", "--opt-level", config.opt_level, *args, timeout=config.slow(2 * MINUTE), **options)


def env_options(env):
    return [word for name, value in env.items() for word in ("--env", f"{name}={value}")]


# --- the public suite of WASI 0.1 programs (wasi-testsuite)
def suite(config, tally, folder):
    for wasm in sorted(folder.glob("*.wasm")):
        manifest = wasm.with_suffix(".json")
        spec = json.loads(manifest.read_text()) if manifest.exists() else {}
        with scratch() as here:
            options = env_options(spec.get("env", {}))
            if spec.get("root"):
                root = here / "root"
                shutil.copytree(folder / spec["root"], root, symlinks=True)
                subprocess.run(["chmod", "-R", "u+w", root], check=True)
                options += ["--dir", f"{root}::/"]
            result = run_core(config, *options, wasm, *spec.get("args", []))
        name = f"{folder.name} {wasm.stem}"
        expect(tally, name, result, code=spec.get("exit_code", 0))
        for stream in ("stdout", "stderr"):
            wanted = spec.get(stream, "")
            got = getattr(result, stream)
            if wanted:
                tally.check(f"{name}: {stream}", [] if got.startswith(wanted) else [f"{got[:200]!r}, want {wanted!r}"])


# --- Wasmtime's own test programs, those that are core modules
def make_tree(root, tree):
    for item in tree:
        path = root / item["path"]
        if item["type"] == "dir":
            path.mkdir(parents=True, exist_ok=True)
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(item["text"].encode() if "text" in item else bytes(item["zeros"]))
        if "mtime_unix" in item:
            with contextlib.suppress(OSError, OverflowError):
                os.utime(path, ns=(item["mtime_unix"] * 10**9,) * 2)


def start(config, command, env, stdin):
    if stdin["kind"] != "tty":
        return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env), None
    main, terminal = pty.openpty()
    process = subprocess.Popen(command, stdin=terminal, stdout=terminal, stderr=terminal, env=env)
    os.close(terminal)
    return process, main


def finish(config, process, terminal, stdin, wanted):
    """stdout and stderr of a program fed as the case says."""
    patience = config.slow(MINUTE)
    if stdin["kind"] == "held-open-pipe":
        first = os.read(process.stdout.fileno(), 10).decode()
        process.stdout.close()
        process.stdin.close()
        stderr = process.stderr.read().decode(errors="replace")
        process.wait(patience)
        return ("" if first == wanted["stdout_before_stdin"] else f"stdout {first!r}"), stderr
    if terminal is not None:
        process.wait(patience)
        os.close(terminal)
        return "", ""
    stdout, stderr = process.communicate(stdin.get("text", "").encode(), patience)
    return stdout.decode(errors="replace"), stderr.decode(errors="replace")


def program(config, tally, case, base):
    wanted, env, options = case["expect"], dict(config.env), []
    with scratch() as here:
        folders = {}
        for index, entry in enumerate(case["dirs"]):
            folders[entry["guest"]] = here / str(index)
            folders[entry["guest"]].mkdir()
            make_tree(folders[entry["guest"]], entry["tree"])
            options += ["--dir", f"{folders[entry['guest']]}::{entry['guest']}::{entry['perms']}"]
        options += env_options(case["env"])
        for number in range(case.get("env_gen", {}).get("count", 0)):
            name, (text, times) = f"{case['env_gen']['prefix']}{number}", case["env_gen"]["value_repeat"]
            env[name] = text * times
            options += ["--env", name]
        if "timeout_ns" in case.get("options", {}):
            options += ["-W", f"timeout={case['options']['timeout_ns'] / 1e9:.9f}s"]
        command = [config.cusp, "run", "--opt-level", config.opt_level, "--argv0", case["argv0"], *options, base / case["wasm"], *case["args"]]
        process, terminal = start(config, list(map(str, command)), env, case["stdin"])
        try:
            stdout, stderr = finish(config, process, terminal, case["stdin"], wanted)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            return tally.check(case["name"], ["it does not end"])
        bad = [f"{stdout!r}"] if "stdout_before_stdin" in wanted and stdout else []
        if "exit" in wanted and process.returncode != wanted["exit"]:
            bad.append(f"exit {process.returncode}, want {wanted['exit']}: {stderr[-800:]!r}")
        if wanted.get("trap") and process.returncode != 134:
            bad.append(f"exit {process.returncode}, want a trap: {stderr[-800:]!r}")
        for after in wanted.get("files_after", []):
            text = (folders[after["dir"]] / after["path"]).read_text()
            bad += [] if text == after["text"] else [f"{after['path']} holds {text!r}"]
        tally.check(case["name"], bad)


def programs(config, tally):
    base = config.shared / "spec/wasi"
    cases = json.loads((base / "p2-programs.json").read_text())["tests"]
    for case in cases:
        if case["abi"] == "p1" and case["kind"] == "command":
            program(config, tally, case, base)


# --- real programs
def real_programs(config, tally):
    base = config.shared / "guests/core"
    for case in json.loads((base / "cases.json").read_text()):
        with scratch() as here:
            options = env_options(case.get("env", {}))
            for index, (guest, files) in enumerate(case.get("dirs", {}).items()):
                folder = here / str(index)
                folder.mkdir()
                for name in files:
                    shutil.copy(base / name, folder / name)
                options += ["--dir", f"{folder}::{guest}"]
            result = run_core(config, *options, base / case["wasm"], *case.get("args", []), input=case.get("stdin", ""))
        expect(tally, f"real program {case['wasm']}", result, code=case.get("exit", 0), stdout=case.get("stdout"), contains=case.get("stdout_contains", ()))


def run(config, tally):
    if not config.shared:
        tally.skip("WASI 0.1 suites and real programs", "no conformance data beside this checkout")
        return
    for name in SUITES:
        suite(config, tally, config.shared / "spec/wasi" / name)
    programs(config, tally)
    real_programs(config, tally)
