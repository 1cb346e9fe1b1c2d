#!/usr/bin/env python3
"""End-to-end tests of the cusp command: real components, real sockets, real faults. Closes with `N passed, N failed, N skipped`."""
import argparse
import importlib
import shutil
import sys

from harness import Config, Tally

PARTS = ["commands", "install", "wit", "wasi", "components", "network", "state", "serving", "https", "tiers", "faults", "conformance"]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", default="build", help="the folder that holds cusp (default: build)")
    parser.add_argument("--compiler", help="cusp-compile, where it is not beside cusp")
    parser.add_argument("--guests", help="the folder with the project's own guests (default: BUILD/guests)")
    parser.add_argument("--sanitized", action="store_true", help="the build has sanitizers: be patient, look for their reports")
    parser.add_argument("--opt-level", type=int, default=1, help="of the compiler, for everything served (default: 1)")
    parser.add_argument("--minutes", type=float, default=10, help="how long the part `soak` goes on (default: 10)")
    parser.add_argument("--only", default="", metavar="TEXT", help="of the part `components`, the cases whose names hold this")
    parser.add_argument("parts", nargs="*", help=f"which of {', '.join(PARTS)} (default: all), or soak")
    args = parser.parse_args()
    config, tally = Config(args), Tally()
    try:
        for part in args.parts or PARTS:
            print(f"-- {part}", flush=True)
            importlib.import_module(part).run(config, tally)
    finally:
        shutil.rmtree(config.cache, ignore_errors=True)
    print(f"{tally.passed} passed, {tally.failed} failed, {tally.skipped} skipped")
    return 1 if tally.failed or not tally.passed else 0


if __name__ == "__main__":
    sys.exit(main())
