"""An installed Cusp: what lies where, and examples/plugins built against it as a project of its own, by CMake and by pkg-config."""
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import tempfile

from harness import ROOT

EXAMPLE = ROOT / "examples" / "plugins"
EXPECTED = """1-tidy tidies spaces
  [1-tidy] tidied
  hello there
2-shout shouts
  HELLO THERE!!!
"""
REFUSED = """1-tidy tidies spaces
  refused: there are no words
2-shout shouts
    !!!
"""


def command(env, *words, **options):
    result = subprocess.run([str(w) for w in words], capture_output=True, text=True, env=env, timeout=600, **options)
    return result, [f"{words[0]}: {(result.stderr or result.stdout)[-1500:]}"] if result.returncode else []


def layout(prefix):
    bad = []
    for name in ("bin/cusp", "bin/cusp-compile", "include/cusp/cusp.hpp", "include/cusp/guest/abi.hpp", "include/cusp/guest/wit/world.wit"):
        if not (prefix / name).is_file():
            bad.append(f"{name} is not installed")
    for header in (prefix / "include" / "cusp").glob("*.hpp"):
        for name in re.findall(r'#include\s+[<"]([^>"]+)[>"]', header.read_text()):
            if "/" in name and not (prefix / "include" / name).is_file() or name.endswith(".h"):
                bad.append(f"{header.name} includes {name}, which is neither the standard library's nor installed")
    return bad


def filters(config, folder):
    """The folder that the example loads from: two plug-ins, and a component that is none."""
    folder.mkdir()
    for place, name in enumerate(("tidy", "shout"), 1):
        shutil.copy(config.guests / f"plugin-{name}.wasm", folder / f"{place}-{name}.wasm")
    shutil.copy(config.guests / "hello-http.wasm", folder / "other.wasm")
    return folder


def behaviour(env, program, folder):
    bad = []
    for text, expected in (("  hello   there ", EXPECTED), ("  ", REFUSED)):
        result, wrong = command(env, program, folder, text)
        bad += wrong
        if result.stdout != expected:
            bad.append(f"given {text!r}, it printed {result.stdout!r}")
        if "other.wasm" not in result.stderr or "unknown import" not in result.stderr:
            bad.append(f"of the component that is no plug-in, it said {result.stderr!r}")
    return bad


def run(config, tally):
    if config.sanitized:
        return tally.skip("the installed library", "users link the library that is built without sanitizers")
    work = pathlib.Path(tempfile.mkdtemp(prefix="cusp-install-"))
    env = {name: value for name, value in config.env.items() if name not in ("CUSP_COMPILE", "CFLAGS", "CXXFLAGS", "LDFLAGS")}
    try:
        prefix = work / "prefix"
        _, bad = command(env, "cmake", "--install", config.build, "--prefix", prefix)
        tally.check("install", bad or layout(prefix))
        if bad:
            return
        folder = filters(config, work / "filters")

        _, bad = command(env, "cmake", "-S", EXAMPLE, "-B", work / "out", f"-DCMAKE_PREFIX_PATH={prefix}", "-DCMAKE_BUILD_TYPE=Release")
        bad = bad or command(env, "cmake", "--build", work / "out")[1]
        tally.check("a project by CMake", bad or behaviour(env, work / "out" / "plugins", folder))

        if not shutil.which("pkg-config"):
            return tally.skip("a project by pkg-config", "no pkg-config; install pkgconf")
        pkg = dict(env, PKG_CONFIG_PATH=str(next(prefix.rglob("cusp.pc")).parent))
        flags, bad = command(pkg, "pkg-config", "--cflags", "--libs", "cusp")
        program = work / "plugins"
        bad = bad or command(env, os.environ.get("GXX", "g++"), "-std=c++23", "-Wall", "-Wextra", "-Werror", EXAMPLE / "host.cpp", "-o", program,
                             *shlex.split(flags.stdout))[1]
        tally.check("a project by pkg-config", bad or behaviour(env, program, folder))
    finally:
        shutil.rmtree(work, ignore_errors=True)
