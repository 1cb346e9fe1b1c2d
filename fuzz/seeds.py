"""Seeds for the libFuzzer targets, from what this tree can make: generated modules, the example and test guests, artifacts of both."""
import argparse
import pathlib
import shutil
import subprocess

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--build", type=pathlib.Path, required=True)
parser.add_argument("--to", type=pathlib.Path, required=True)
config = parser.parse_args()
module, component, artifact = (config.to / name for name in ("module", "component", "artifact"))
for folder in (module, component, artifact):
    folder.mkdir(parents=True, exist_ok=True)
subprocess.run([config.build / "fuzz/cusp-fuzz-gen", module, "1", "100"], check=True)
for guest in (config.build / "guests").glob("*.wasm"):
    if guest.stat().st_size < 64 * 1024:
        shutil.copy(guest, component if guest.read_bytes()[4:8] == b"\x0d\0\1\0" else module)
for source in [*sorted(module.glob("?.wasm")), *component.glob("*.wasm")]:
    subprocess.run([config.build / "cusp", "compile", "--opt-level", "0", source, "-o", artifact / (source.stem + ".cusp")], check=True)
