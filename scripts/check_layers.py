#!/usr/bin/env python3
"""Compares the #includes of every room with the arrows in cmake/rooms.def, and keeps LLVM inside compile/."""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent


def arrows():
    direct = {}
    for line in (ROOT / "cmake/rooms.def").read_text().splitlines():
        if match := re.match(r"^([a-z]+):(.*)$", line):
            direct[match[1]] = set(match[2].split())
    closure = {}

    def reach(room, path=()):
        if room in path:
            sys.exit(f"cmake/rooms.def: a cycle through {' -> '.join((*path, room))}")
        if room not in closure:
            closure[room] = {room}.union(*(reach(dep, (*path, room)) for dep in direct[room]))
        return closure[room]

    for room in direct:
        reach(room)
    return closure


def main():
    closure, bad = arrows(), []
    folders = {p.name for p in (ROOT / "src").iterdir() if p.is_dir()}
    for room in sorted(folders - closure.keys()):
        bad.append(f"src/{room}: not a room of cmake/rooms.def")
    for path in sorted((ROOT / "src").rglob("*")):
        if path.suffix not in (".h", ".cpp", ".def", ".S"):
            continue
        room = path.relative_to(ROOT / "src").parts[0]
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1):
            match = re.match(r'\s*#\s*include\s+(["<])([^">]+)[">]', line)
            if not match:
                continue
            first = match[2].split("/")[0]
            where = f"{path.relative_to(ROOT)}:{number}"
            if first in ("llvm", "llvm-c", "lld", "clang") and room != "compile":
                bad.append(f"{where}: LLVM outside compile/")
            elif match[1] == '"' and first in closure and first not in closure.get(room, ()):
                bad.append(f"{where}: {room} may not include {first}")
    print("\n".join(bad) if bad else "layers: no include against the arrows")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
