#!/usr/bin/env python3
"""Compiles every header by itself (clang) and every source with GCC, syntax only, with the flags of build-test. The public headers are compiled with
nothing but the standard library beside them, by both."""
import concurrent.futures
import json
import os
import pathlib
import shlex
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent


def room_flags():
    """The compile command of one source per room, without its -c/-o and input."""
    flags, sources = {}, []
    for entry in json.loads((ROOT / "build-test/compile_commands.json").read_text()):
        path = pathlib.Path(entry["file"])
        try:
            parts = path.relative_to(ROOT).parts
        except ValueError:
            continue
        words = [w for w in shlex.split(entry["command"]) if not w.endswith("ccache")]
        kept, skip = [], False
        for word in words[1:]:
            if skip:
                skip = False
            elif word in ("-o", "-MF", "-MT", "-MQ", "-include", "-include-pch"):
                skip = True
            elif word.endswith("cmake_pch.hxx") or word.endswith("cmake_pch.hxx.pch"):
                continue
            elif word not in ("-c", "-MD", str(path), "-Xclang", "-Winvalid-pch", "-fpch-instantiate-templates",
                              "-fno-pch-timestamp"):
                kept.append(word)
        if parts[0] == "src" and path.suffix == ".cpp":
            flags.setdefault(parts[1], (kept, entry["directory"]))
            sources.append((path, kept, entry["directory"]))
    return flags, sources


def main():
    flags, sources = room_flags()
    jobs = []
    clang, gcc = os.environ.get("CXX", "clang++-22"), shutil.which("g++-12") or shutil.which("g++")
    for room, (words, directory) in flags.items():
        for header in sorted((ROOT / "src" / room).rglob("*.h")):
            text = f'#include "{header.relative_to(ROOT / "src")}"\n'
            jobs.append((f"{header.relative_to(ROOT)} alone", [clang, *words, "-fsyntax-only", "-x", "c++", "-"], directory, text))
    for header in sorted((ROOT / "include" / "cusp").glob("*.hpp")):
        for compiler in filter(None, (clang, gcc)):
            words = [compiler, "-std=c++23", "-Wall", "-Wextra", "-Werror", "-I", str(ROOT / "include"), "-fsyntax-only", "-x", "c++", "-"]
            jobs.append((f"{header.relative_to(ROOT)} with {pathlib.Path(compiler).name}", words, str(ROOT), f"#include <cusp/{header.name}>\n"))
    if gcc:
        for path, words, directory in sources:
            words = [w for w in words if not w.startswith("-fuse-ld")]
            jobs.append((f"{path.relative_to(ROOT)} with GCC", [gcc, *words, "-fsyntax-only", str(path)], directory, None))
    failed = 0

    def run(job):
        name, command, directory, text = job
        result = subprocess.run(command, cwd=directory, input=text, capture_output=True, text=True)
        return name, result.returncode, result.stderr

    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for name, code, err in pool.map(run, jobs):
            if code:
                failed += 1
                print(f"FAIL {name}\n{err[:3000]}")
    print(f"headers and GCC: {len(jobs) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
