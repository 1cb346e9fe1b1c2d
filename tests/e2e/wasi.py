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
        if case.get("features") and "feature is needed and not enabled" in result.stderr:
            tally.skip(f"real program {case['wasm']}", f"waits for {', '.join(case['features'])}")
            continue
        expect(tally, f"real program {case['wasm']}", result, code=case.get("exit", 0), stdout=case.get("stdout"), contains=case.get("stdout_contains", ()))


# --- the project's own guest
def tour(config, tally):
    guest = config.guests / "wasi-tour.wasm"
    for stop in ("files", "large", "directories", "links", "rights", "renumber", "clocks", "random"):
        with scratch() as here:
            expect(tally, f"tour {stop}", run_core(config, "--dir", f"{here}::/data", guest, stop), stdout=f"{stop} ok\n")
    with scratch() as here:
        expect(tally, "tour unstable", run_core(config, "--dir", f"{here}::/data", guest, "unstable"), stdout="by unstable\nunstable ok\n")
        (here / "kept").write_text("kept")
        expect(tally, "tour read-only", run_core(config, "--dir", f"{here}::/data::ro", guest, "read-only"), stdout="read-only ok\n")
        tally.check("tour read-only: the file is as it was", [] if (here / "kept").read_text() == "kept" else ["it is not"])
    expect(tally, "tour args", run_core(config, "--argv0", "tour", guest, "args", "a b", ""), stdout="tour\nargs\na b\n\n")
    expect(tally, "tour env", run_core(config, "--env", "K=V=W", guest, "env", "K", "HOME"), stdout="V=W\n(unset)\n")
    expect(tally, "tour input", run_core(config, guest, "input", input="one\ntwo"), stdout="one\ntwo")
    expect(tally, "tour stderr", run_core(config, guest, "stderr"), stdout="", stderr_contains=["to stderr"])
    expect(tally, "tour exit", run_core(config, guest, "exit", "7"), code=7, stdout="before\n")
    expect(tally, "tour exit 0", run_core(config, guest, "exit"), code=0, stdout="before\n")
    expect(tally, "tour without directories", run_core(config, guest, "files"), code=1, contains=["line"])
    for stop, text in (("out-of-bounds", "out of bounds"), ("unaligned", "not aligned"), ("bad-buffer", "out of bounds")):
        expect(tally, f"tour {stop}", run_core(config, guest, stop), code=134, stdout="", stderr_contains=[text, "wasm backtrace"])
    start = time.time()
    expect(tally, "tour sleep", run_core(config, "--timeout", "200ms", guest, "sleep"), code=134, stderr_contains=["time limit"])
    tally.check("tour sleep: ended in time", [] if time.time() - start < config.slow(MINUTE) else ["it slept on"])
    polls(config, tally, guest)
    sockets(config, tally, guest)
    full_pipe(config, tally, guest)


def polls(config, tally, guest):
    with scratch() as here:
        held, end = os.pipe()
        command = [config.cusp, "run", "--opt-level", config.opt_level, "--dir", f"{here}::/data", guest, "polls"]
        result = subprocess.run(list(map(str, command)), stdin=held, capture_output=True, text=True, env=config.env, timeout=config.slow(MINUTE))
        os.close(held), os.close(end)
        expect(tally, "tour polls", result, stdout="polls ok\n")


def sockets(config, tally, guest):
    port = free_port()
    with scratch() as here:
        command = [config.cusp, "run", "--opt-level", config.opt_level, "--dir", f"{here}::/data", "--tcplisten", f"127.0.0.1:{port}", guest, "sockets", "4"]
        process = subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=config.env)
        deadline, connection, got = time.time() + config.slow(MINUTE), None, b""
        while connection is None and time.time() < deadline and process.poll() is None:
            with contextlib.suppress(OSError):
                connection = socket.create_connection(("127.0.0.1", port), config.slow(MINUTE))
        if connection:
            with connection:
                connection.sendall(b"ping")
                while part := connection.recv(100):
                    got += part
        tally.check("tour sockets: the answer", [] if got == b"pong" else [repr(got)])
        try:
            stdout, stderr = process.communicate(timeout=config.slow(MINUTE))
        except subprocess.TimeoutExpired:
            process.kill()
            stdout, stderr = process.communicate()
        expect(tally, "tour sockets", subprocess.CompletedProcess(command, process.returncode, stdout, stderr), stdout="sockets ok\n")
        component = config.guests / "cli-tour.wasm"
        expect(tally, "a component gets no sockets so", run_core(config, "--tcplisten", "127.0.0.1:0", component), code=1, stderr_contains=["--tcplisten"])
        expect(tally, "a bad address", run_core(config, "--tcplisten", "nowhere", guest), code=1, stderr_contains=["nowhere"])


def full_pipe(config, tally, guest):
    """Nobody reads what the guest writes: its time limit ends it all the same."""
    with scratch() as here:
        (here / "much").write_text("text\n" * 100_000)
        reader, writer = os.pipe()
        with (here / "much").open() as stdin:
            command = [config.cusp, "run", "--opt-level", config.opt_level, "--timeout", "2s", guest, "input"]
            result = subprocess.run(list(map(str, command)), stdin=stdin, stdout=writer, stderr=subprocess.PIPE, text=True, env=config.env, timeout=config.slow(MINUTE))
        os.close(writer), os.close(reader)
        tally.check("tour: a full pipe", [] if result.returncode == 134 and "time limit" in result.stderr else [f"exit {result.returncode}: {result.stderr[-600:]}"])


def linking(config, tally):
    reactor = config.guests / "wasi-reactor.wasm"
    expect(tally, "a reactor is initialized first", run_core(config, "--invoke", "made", reactor), stdout="initialized\n42\n")
    expect(tally, "a reactor by itself", run_core(config, reactor), stdout="initialized\n")
    expect(tally, "_initialize once", run_core(config, "--invoke", "_initialize", reactor), stdout="initialized\n")
    expect(tally, "a reactor may exit", run_core(config, "--invoke", "leave", reactor, "9"), code=9, stdout="initialized\n")
    with scratch() as here:
        module = here / "imports.wasm"
        module.write_bytes(importing([("wasi_snapshot_preview1", "sched_yield", 1), ("wasi_snapshot_preview1", "no_such", 1), ("env", "f", 0)]))
        expect(tally, "what is missing is listed", run_core(config, module), code=1, stderr_contains=["wasi_snapshot_preview1.no_such", "env.f"])
        listed = run_core(config, module).stderr
        tally.check("what is given is not", [f"{listed!r}"] if "sched_yield" in listed else [])
        expect(tally, "defaults for the rest", run_core(config, "-W", "unknown-imports-default=y", module), code=0)
        module.write_bytes(importing([("wasi_snapshot_preview1", "sched_yield", 0)]))
        expect(tally, "another type", run_core(config, module), code=1, stderr_contains=["sched_yield", "incompatible import type"])
        module.write_bytes(importing([("wasi_unstable", "sock_accept", 1)]))
        expect(tally, "wasi_unstable has no sock_accept", run_core(config, module), code=1, stderr_contains=["wasi_unstable.sock_accept"])


def importing(imports):
    """A module that does nothing but import functions of the types 0: [] -> [], 1: [] -> [i32]."""
    text = lambda name: bytes([len(name)]) + name.encode()
    section = lambda number, body: bytes([number, len(body)]) + body
    entries = b"".join(text(module) + text(name) + bytes([0, kind]) for module, name, kind in imports)
    return b"\0asm\1\0\0\0" + section(1, b"\2\x60\0\0\x60\0\1\x7f") + section(2, bytes([len(imports)]) + entries)


def run(config, tally):
    tour(config, tally)
    linking(config, tally)
    if not config.shared:
        tally.skip("WASI 0.1 suites and real programs", "no conformance data beside this checkout")
        return
    for name in SUITES:
        suite(config, tally, config.shared / "spec/wasi" / name)
    programs(config, tally)
    real_programs(config, tally)
