#!/usr/bin/env python3
"""Rules about the tree: every path that a document names exists; rooms have a README; files stay in one head."""
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
LONGEST = 800  # lines; tables (.def) exempt


def main():
    bad = []
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    for name in tracked:
        path = ROOT / name
        if path.suffix in (".cpp", ".h") and path.exists():
            lines = path.read_text(errors="replace").count("\n")
            if lines > LONGEST:
                bad.append(f"{name}: {lines} lines; split it (at most {LONGEST})")
        if path.suffix == ".md" and path.exists():
            for match in re.finditer(r"`((?:src|tests|bench|scripts|examples|docs|include|cmake)/[A-Za-z0-9_./-]+)`", path.read_text()):
                if not (ROOT / match[1]).exists():
                    bad.append(f"{name}: names `{match[1]}`, which does not exist")
    for room in sorted(p for p in (ROOT / "src").iterdir() if p.is_dir()):
        if any(room.rglob("*.cpp")) and not (room / "README.md").exists():
            bad.append(f"src/{room.name}: no README.md")
    print("\n".join(bad) if bad else "tree: documents name what exists")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
