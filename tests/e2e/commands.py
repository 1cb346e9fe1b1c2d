"""`cusp run`, `compile`, `inspect`, `--help`, and what bad input is answered with."""
import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import time

from harness import ROOT


def cusp(config, *args, input=None, env=None, timeout=None):
    return subprocess.run([config.cusp, *map(str, args)], input=input, capture_output=True, text=True, errors="replace",
                          env=env or config.env, timeout=timeout or config.slow(300))


def expect(tally, name, result, code=0, stdout=None, contains=(), stderr_contains=()):
    bad = []
    if code is not None and result.returncode != code:
        bad.append(f"exit code {result.returncode}, want {code}; stderr: {result.stderr[-600:]!r}")
    if stdout is not None and result.stdout != stdout:
        bad.append(f"stdout {result.stdout[:400]!r}, want {stdout!r}")
    bad += [f"{part!r} not in stdout {result.stdout[:400]!r}" for part in contains if part not in result.stdout]
    bad += [f"{part!r} not in stderr {result.stderr[-600:]!r}" for part in stderr_contains if part not in result.stderr]
    if "Sanitizer" in result.stderr or "runtime error:" in result.stderr:
        bad.append(f"sanitizer: {result.stderr[-3000:]}")
    tally.check(name, bad)


def source_line(guest, text):
    """How a backtrace ends that names the line of the guest's source with this text in it."""
    lines = (ROOT / "tests/guests" / guest).read_text().splitlines()
    return f"/{guest}:{1 + next(i for i, line in enumerate(lines) if text in line)}\n"


def tour(config, tally):
    guest = config.guests / "cli-tour.wasm"
    folder = tempfile.mkdtemp(prefix="cusp-tour-")
    run = lambda *args, **kw: cusp(config, "run", "--opt-level", config.opt_level, *args, **kw)
    expect(tally, "run hello", run(guest), stdout="hello from a command\n")
    expect(tally, "run args", run(guest, "args", "b", "--c"), stdout="args\nb\n--c\n")
    expect(tally, "run env", run("--env", "K=V", guest, "env"), stdout="K=V\n")
    expect(tally, "run stdin", run(guest, "stdin", input="some\ninput"), stdout="some\ninput")
    expect(tally, "run stderr", run(guest, "stderr"), stdout="", stderr_contains=["to stderr"])
    expect(tally, "run fails", run(guest, "fail"), code=1)
    expect(tally, "run exits", run(guest, "exit"), code=1, stdout="before\n")
    expect(tally, "run traps", run(guest, "trap"), code=134,
           stderr_contains=["unreachable", "backtrace", source_line("cli-tour.cpp", "__builtin_trap()")])
    expect(tally, "run sleeps", run(guest, "sleep"), stdout="slept\n")
    expect(tally, "run files", run("--dir", f"{folder}::/data", guest, "files", "/data"),
           stdout="wrote 7\nread content\nno escape\nabsent\n")
    shutil.rmtree(folder)
    math = config.guests / "core-math.wasm"
    expect(tally, "invoke core", run("--invoke", "fib", math, "20"), stdout="6765\n")
    expect(tally, "invoke core traps", run("--invoke", "divide", math, "1", "0"), code=134, stderr_contains=["integer divide by zero", source_line("core-math.cpp", "a / b")])
    expect(tally, "invoke core float", run("--invoke", "half", math, "5"), stdout="2.5\n")
    expect(tally, "invoke unknown", run("--invoke", "nothing", math), code=1, stderr_contains=["nothing"])
    expect(tally, "invoke needs numbers", run("--invoke", "fib", math, "many"), code=1, stderr_contains=["many"])


def files(config, tally):
    folder = pathlib.Path(tempfile.mkdtemp(prefix="cusp-files-"))
    guest, artifact = config.guests / "cli-tour.wasm", folder / "tour.cusp"
    expect(tally, "compile", cusp(config, "compile", guest, "-o", artifact))
    expect(tally, "run an artifact", cusp(config, "run", "--allow-precompiled", artifact), stdout="hello from a command\n")
    no_compiler = dict(config.env, CUSP_COMPILE="/nonexistent/cusp-compile")
    expect(tally, "an artifact needs no compiler", cusp(config, "run", artifact, env=no_compiler), stdout="hello from a command\n")
    expect(tally, "no compiler", cusp(config, "run", "--no-cache", guest, env=no_compiler), code=1, stderr_contains=["cusp-compile"])
    data = artifact.read_bytes()
    damaged = folder / "damaged.cusp"
    for name, change in {"cut short": data[: len(data) // 2], "one bit": data[:-2000] + bytes([data[-2000] ^ 1]) + data[-1999:], "head only": data[:64]}.items():
        damaged.write_bytes(change)
        expect(tally, f"artifact with {name}", cusp(config, "run", damaged), code=1, stderr_contains=["error:"])
    for name, text in {"empty": b"", "text": b"hello, I am not wasm\n", "magic only": b"\0asm", "bad section": b"\0asm\1\0\0\0\x0d\xff\xff\xff\xff\x0f"}.items():
        (folder / "bad.wasm").write_bytes(text)
        expect(tally, f"bad file: {name}", cusp(config, "run", folder / "bad.wasm"), code=1, stderr_contains=["error:", "bad.wasm"])
    expect(tally, "absent file", cusp(config, "serve", folder / "absent.wasm"), code=1, stderr_contains=["absent.wasm"])
    expect(tally, "inspect a component", cusp(config, "inspect", config.guests / "hello-http.wasm"),
           contains=["wasi:http/incoming-handler@0.2.0", "wasi:http/types@0.2.0"])
    expect(tally, "inspect a module", cusp(config, "inspect", config.guests / "core-math.wasm"), contains=["fib", "memory"])
    expect(tally, "inspect an artifact", cusp(config, "inspect", artifact), contains=["wasi:cli/run@0.2.0"])
    shutil.rmtree(folder)


def fuel(config, tally):
    math = config.guests / "core-math.wasm"
    spent = {level: [cusp(config, "run", "--opt-level", level, "-W", f"fuel={n}", "--invoke", "fib", math, "20").returncode for n in (1000, 1_000_000_000)]
             for level in ("0", "2")}
    tally.check("fuel runs out, or suffices, at every level", [] if all(codes == [134, 0] for codes in spent.values()) else [str(spent)])
    expect(tally, "fuel is told", cusp(config, "run", "-W", "fuel=1000", "--invoke", "fib", math, "20"), code=134, stderr_contains=["all fuel consumed"])
    with tempfile.TemporaryDirectory() as folder:
        plain = f"{folder}/plain.cusp"
        cusp(config, "compile", "--opt-level", "0", math, "-o", plain)
        expect(tally, "an artifact without fuel", cusp(config, "run", "-W", "fuel=10", "--invoke", "fib", plain, "3"), code=1, stderr_contains=["-W fuel"])
    expect(tally, "fuel that is no number", cusp(config, "run", "-W", "fuel=much", math), code=2, stderr_contains=["much"])


def helpfulness(config, tally):
    expect(tally, "--help", cusp(config, "--help"), contains=["serve", "run", "compile", "inspect", "wast"])
    for command in ("serve", "run", "compile", "inspect", "wast"):
        expect(tally, f"{command} --help", cusp(config, command, "--help"), contains=["--"])
    expect(tally, "--version", cusp(config, "--version"), contains=["cusp"])
    expect(tally, "--version --verbose", cusp(config, "--version", "--verbose"), contains=["userfaultfd"])
    expect(tally, "unknown option", cusp(config, "serve", "--port", "1", "x"), code=2, stderr_contains=["--port"])
    expect(tally, "bad size", cusp(config, "serve", "--max-memory", "lots", config.guests / "hello-http.wasm"), code=2, stderr_contains=["lots"])
    expect(tally, "not a handler", cusp(config, "serve", config.guests / "cli-tour.wasm"), code=1, stderr_contains=["incoming-handler"])
    expect(tally, "not a command", cusp(config, "run", config.guests / "hello-http.wasm"), code=1, stderr_contains=["wasi:cli/run"])


def budgets(config, tally):
    """What cusp itself may not contain or weigh."""
    if config.sanitized:
        return
    stripped = tempfile.mktemp()
    subprocess.run(["strip", "-o", stripped, config.cusp], check=True)
    size = os.path.getsize(stripped)
    os.unlink(stripped)
    tally.check("cusp is under 8 MB stripped", [f"{size} bytes"] if size > 8 << 20 else [])
    symbols = subprocess.run(["nm", "-C", config.cusp], capture_output=True, text=True).stdout
    libraries = subprocess.run(["ldd", config.cusp], capture_output=True, text=True).stdout
    tally.check("cusp holds no LLVM", ["it does"] if "llvm::" in symbols or "LLVM" in libraries else [])
    marker = f"marker-{os.getpid()}"
    env = dict(config.env, CUSP_TEST_MARKER=marker)
    cusp(config, "run", config.guests / "cli-tour.wasm", env=env)
    time.sleep(0.2)
    left = [p for p in pathlib.Path("/proc").glob("[0-9]*/environ") if _reads(p, marker)]
    tally.check("run leaves no process behind", [str(left)] if left else [])


def _reads(path, marker):
    try:
        return marker in path.read_text(errors="replace")
    except OSError:
        return False


def shared_cases(config, tally):
    if not config.shared:
        tally.skip("real command components", "no conformance data beside this checkout")
        return
    for case in json.loads((config.shared / "guests/cli/cases.json").read_text()):
        options = []
        folders = []
        for guest, _ in case.get("dirs", {}).items():
            folders.append(tempfile.mkdtemp(prefix="cusp-case-"))
            options += ["--dir", f"{folders[-1]}::{guest}"]
        for name, value in case.get("env", {}).items():
            options += ["--env", f"{name}={value}"]
        result = cusp(config, "run", "--opt-level", config.opt_level, *options, config.shared / "guests/cli" / case["wasm"], *case.get("args", []), input=case.get("stdin", ""))
        expect(tally, f"case {case['wasm']}", result, code=case.get("exit", 0), stdout=case.get("stdout"), contains=case.get("stdout_contains", ()))
        for folder in folders:
            shutil.rmtree(folder)


def run(config, tally):
    for part in (tour, files, fuel, helpfulness, budgets, shared_cases):
        part(config, tally)
