"""The converted specification suites through `cusp wast`, against tests/spec/expectations.toml: what is not listed there passes whole;
what is listed waits for the feature it names, and an unexpected pass is a failure, so that the list only shrinks."""
import re
import subprocess
import tomllib

from harness import ROOT

SUITES = ["core", "component-model", "wasmtime-misc"]
VALIDATION_SUITES = ["wasm-tools-cli/component-model"]  # nothing in them is instantiated
LINE = re.compile(r"^(\S+): (\d+) passed, (\d+) failed, (\d+) skipped$", re.M)


def scripts_of(config, paths, options):
    """Counts by script, and what went wrong with the run as a whole."""
    spec = config.shared / "spec"
    result = subprocess.run([config.cusp, "wast", "--scripts", *options, *(spec / path for path in paths)], capture_output=True, text=True,
                            errors="replace", env=config.env, timeout=config.slow(1800))
    scripts = {path.removeprefix(str(spec) + "/"): (int(passed), int(failed), int(skipped)) for path, passed, failed, skipped in LINE.findall(result.stdout)}
    return scripts, [] if scripts and result.returncode in (0, 1) else [f"exit {result.returncode}: {result.stderr[-2000:]}"]


def judge(tally, name, scripts, listed):
    for script, (passed, failed, _) in sorted(scripts.items()):
        reason = next((listed[p] for p in listed if script == p or script.startswith(p + "/")), None)
        if reason is None:
            tally.check(f"wast {name}: {script}", [f"{failed} commands failed"] if failed else [])
        elif failed:
            tally.skip(f"wast {name}: {script}", f"{passed} commands pass, {failed} wait for {reason}")
    for entry in listed:
        under = [v for k, v in scripts.items() if k == entry or k.startswith(entry + "/")]
        if under and not any(failed for _, failed, _ in under):
            tally.check(f"wast {name}: {entry}", [f"passes, yet it is listed as waiting for {listed[entry]}: take it off the list"])
    total = tuple(sum(column) for column in zip(*scripts.values())) if scripts else (0, 0, 0)
    print(f"   wast {name}: {total[0]} commands passed, {total[1]} failed, {total[2]} skipped", flush=True)


def run(config, tally):
    if not config.shared or not (config.shared / "spec").is_dir():
        tally.skip("specification suites", "no conformance data beside this checkout")
        return
    expectations = tomllib.loads((ROOT / "tests/spec/expectations.toml").read_text())
    listed = expectations.get("waits", {})
    configurations = [("O0", ["--opt-level", "0"])] if config.sanitized else [
        ("O0", ["--opt-level", "0"]), ("O2", ["--opt-level", "2"]), ("O1, explicit bounds", ["--opt-level", "1", "--bounds", "explicit"])]
    for name, options in configurations:
        scripts, problems = scripts_of(config, SUITES, options)
        for folder, settings in expectations.get("settings", {}).items():
            own, more = scripts_of(config, [folder], [*options, "-W", settings])
            scripts |= own
            problems += more
        tally.check(f"wast {name}: ran", problems)
        judge(tally, name, scripts, listed)
    scripts, problems = scripts_of(config, VALIDATION_SUITES, ["--validate-only"])
    for script, features in expectations.get("features", {}).items():
        own, more = scripts_of(config, [script], ["--validate-only", f"--features={features}"])
        scripts |= own
        problems += more
    tally.check("wast validation: ran", problems)
    judge(tally, "validation", scripts, listed)
