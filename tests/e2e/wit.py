"""`cusp wit`, `compose` and `componentize`: the WASI packages, the project's guests, the polyglot shop. Another validator (wasm-tools) is asked where there is one."""
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile

from commands import cusp, expect
from harness import ROOT, Server

WASM_TOOLS = ROOT / ".cache" / "tools" / "bin" / "wasm-tools"


def validate(tally, name, path):
    """A second opinion on what cusp wrote."""
    if not WASM_TOOLS.exists():
        return tally.skip(f"{name}: wasm-tools validate", "no wasm-tools; run scripts/dev setup")
    result = subprocess.run([WASM_TOOLS, "validate", "--features", "all", path], capture_output=True, text=True)
    tally.check(f"{name}: wasm-tools validate", [result.stderr[-600:]] if result.returncode else [])


def round_trip(config, tally, name, source, folder, *options):
    """print(parse(print(x))) is print(x); gives what was printed."""
    first = cusp(config, "wit", source, *options)
    text = folder / "printed.wit"
    text.write_text(first.stdout)
    again = cusp(config, "wit", text, *options)
    bad = [first.stderr] if first.returncode else [again.stderr] if again.returncode else []
    if not bad and (again.stdout != first.stdout or not first.stdout.startswith(("package ", "///"))):
        bad = ["printed and parsed again, it is printed otherwise"]
    tally.check(f"{name}: round trip", bad)
    return first.stdout


def packages(config, tally, folder):
    if not config.shared or not (config.shared / "spec" / "wit").is_dir():
        return tally.skip("WASI packages", "no shared folder with spec/wit")
    root = config.shared / "spec" / "wit"
    for package in sorted(root.iterdir()):
        if not package.is_dir():
            continue
        round_trip(config, tally, f"wit {package.name}", package, folder, "--all-features")
        binary = folder / "package.wasm"
        expect(tally, f"wit {package.name}: binary", cusp(config, "wit", package, "--all-features", "--binary", "-o", binary))
        round_trip(config, tally, f"wit {package.name}: from binary", binary, folder)
        validate(tally, f"wit {package.name}", binary)


def components(config, tally, folder):
    files = [f for kind in ("http", "cli", "shop") for f in sorted((config.shared / "guests" / kind).glob("*.wasm"))] if config.shared else []
    if not files:
        tally.skip("WIT of real components", "no shared folder with guests")
    is_component = lambda f: f.read_bytes()[4:8] == b"\x0d\0\x01\0"
    # One written by hand whose exported instance names types that it does not export has no text in WIT.
    for file in files + sorted(f for f in config.guests.glob("*.wasm") if is_component(f) and f.name != "wasi-service3.wasm"):
        round_trip(config, tally, f"wit {file.name}", file, folder)


def mistakes(config, tally, folder):
    bad = folder / "bad.wit"
    bad.write_text("package a:b;\n\ninterface shop {\n  submit: func(o: ordr);\n  record order { id: string }\n}\n")
    expect(tally, "wit: an error has a caret", cusp(config, "wit", bad), code=1,
           stderr_contains=["bad.wit:4:19: interface `shop` has no type `ordr`; did you mean `order`?", "  4 |   submit: func(o: ordr);", "    |                   ^^^^"])
    expect(tally, "wit: a file is missing", cusp(config, "wit", folder / "none.wit"), code=1, stderr_contains=["none.wit"])
    expect(tally, "wit: no component", cusp(config, "wit", config.guests / "core-math.wasm"), code=1, stderr_contains=["core-math.wasm"])
    expect(tally, "compose: no component", cusp(config, "compose", config.guests / "core-math.wasm"), code=1, stderr_contains=["this is not a component"])
    expect(tally, "componentize: no world", cusp(config, "componentize", config.guests / "core-math.wasm", "-o", folder / "x.wasm"), code=1,
           stderr_contains=["give one with --wit and --world"])
    wit = folder / "worlds"
    wit.mkdir()
    (wit / "w.wit").write_text("package a:b;\nworld nothing {}\nworld commands { import wasi:cli/environment@0.2.0; export wasi:cli/run@0.2.0; }\n"
                               "package wasi:cli@0.2.0 { interface run { run: func() -> result<u8>; } interface environment { get-arguments: func() -> list<string>; } }\n")
    guest = config.guests / "cli-tour.wasm"
    expect(tally, "wit check: what is missing", cusp(config, "wit", "check", guest, "--wit", wit, "--world", "commands"), code=1,
           stderr_contains=["cli-tour.wasm does not fit a:b/commands", "the world does not give it", "function `run`, result, ok", "expected u8", "found    nothing"])


def own_guests(config, tally, folder):
    """What `wasm-tools component new` made of these core modules in the build, cusp makes too."""
    wit = ROOT / "include" / "cusp" / "guest" / "wit"
    core, out = config.guests / "cli-tour.core.wasm", folder / "tour.wasm"
    if not core.exists():
        return tally.skip("componentize the guests", f"no {core}")
    expect(tally, "componentize a command", cusp(config, "componentize", core, "--wit", wit, "--world", "command", "-o", out))
    validate(tally, "componentize a command", out)
    run = lambda *args, **kw: cusp(config, "run", "--opt-level", config.opt_level, out, *args, **kw)
    expect(tally, "run what was componentized", run(), stdout="hello from a command\n")
    expect(tally, "its arguments", run("args", "b"), stdout="args\nb\n")
    expect(tally, "its traps", run("trap"), code=134, stderr_contains=["unreachable"])
    expect(tally, "wit check: it fits its world", cusp(config, "wit", "check", out, "--wit", wit, "--world", "command"), contains=["fits"])
    http = folder / "hello.wasm"
    expect(tally, "componentize an HTTP handler", cusp(config, "componentize", config.guests / "hello-http.core.wasm", "--wit", wit, "--world", "http", "-o", http))
    validate(tally, "componentize an HTTP handler", http)
    with Server(config, http) as server:
        status, _, body = server.request("POST", "/echo", body="some text")
        tally.check("serve what was componentized", [] if (status, body) == (200, b"some text") else [f"{status} {body[:200]!r}"])


def shop(config, tally, folder):
    if not config.shared or not (config.shared / "guests" / "shop").is_dir():
        return tally.skip("the polyglot shop", "no shared folder with guests/shop")
    root = config.shared / "guests" / "shop"
    plugs = [arg for part in ("auth", "orders", "recommend", "processor") for arg in ("--plug", root / f"shop-{part}.wasm")]
    app = folder / "app.wasm"
    expect(tally, "compose the shop", cusp(config, "compose", root / "shop-front.wasm", *plugs, "-o", app))
    validate(tally, "compose the shop", app)
    round_trip(config, tally, "wit of the shop", app, folder)
    expect(tally, "the shop's graph", cusp(config, "compose", root / "shop-front.wasm", *plugs), contains=["├─ shop:edge/auth@0.1.0 ← shop-auth"])
    expect(tally, "the shop's graph for Graphviz", cusp(config, "compose", root / "shop-front.wasm", *plugs, "--dot"), contains=['"i:shop-front" -> "i:shop-auth"'])
    twice = folder / "twice.toml"
    twice.write_text(f'export = "front"\n[components]\nfront = "{root / "shop-front.wasm"}"\nauth = "{root / "shop-auth.wasm"}"\n'
                     '[instances.front]\nplug = ["one"]\n[instances.one]\ncomponent = "auth"\n[instances.two]\ncomponent = "auth"\n'
                     '[exports]\n"shop:edge/auth@0.1.0" = "two"\n')
    expect(tally, "compose from a file", cusp(config, "compose", twice, "-o", folder / "twice.wasm"))
    validate(tally, "compose from a file", folder / "twice.wasm")
    expect(tally, "a plug that nobody needs", cusp(config, "compose", root / "shop-auth.wasm", "--plug", root / "shop-orders.wasm"), code=1,
           stderr_contains=["nothing makes use of the plug", "shop:edge/orders@0.1.0: nobody imports it"])
    token = subprocess.run([sys.executable, root / "token.py"], capture_output=True, text=True, check=True).stdout.strip()
    wrong = subprocess.run([sys.executable, root / "token.py", "3600", "another"], capture_output=True, text=True, check=True).stdout.strip()
    order = json.dumps({"items": [{"id": "apple", "quantity": 3, "price_cents": 120}, {"id": "bread", "quantity": 1, "price_cents": 400}], "coupon": "TENOFF"})
    with Server(config, app) as server:
        status, _, body = server.request("POST", "/orders", body=order, headers={"authorization": f"Bearer {token}"}, timeout=config.slow(60))
        bad = [f"{status} {body[:300]!r}"] if status != 200 else []
        if not bad:
            got = json.loads(body)
            for key, value in {"customer": "ann", "message": "Thank You Ann!", "total_cents": 684, "status": "Status::Accepted"}.items():
                if got.get(key) != value:
                    bad.append(f"{key} is {got.get(key)!r}, want {value!r}")
            named = [(r["id"], r["score"]) for r in got.get("recommendations", [])]
            if named != [("butter", 0.95), ("pear", 0.9), ("knife", 0.7)]:
                bad.append(f"recommendations {named}")
        tally.check("the shop takes an order", bad)
        for name, headers in {"no token": {}, "another key": {"authorization": f"Bearer {wrong}"}}.items():
            status, _, body = server.request("POST", "/orders", body=order, headers=headers, timeout=config.slow(60))
            tally.check(f"the shop refuses {name}", [] if status == 401 else [f"{status} {body[:200]!r}"])


def run(config, tally):
    folder = pathlib.Path(tempfile.mkdtemp(prefix="cusp-wit-"))
    try:
        for part in (mistakes, packages, components, own_guests, shop):
            part(config, tally, folder)
    finally:
        shutil.rmtree(folder)
