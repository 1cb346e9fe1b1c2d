"""What the host keeps for a guest: wasi:config, wasi:keyvalue, wasi:logging, as the operator grants them."""
import pathlib
import tempfile

from commands import cusp, expect


def run(config, tally):
    guest = config.guests / "state-tour.wasm"
    with tempfile.TemporaryDirectory(prefix="cusp-state-") as folder:
        here = pathlib.Path(folder)
        start = lambda options, *args: cusp(config, "run", "--opt-level", config.opt_level, *options, guest, *args)
        expect(tally, "config by name", start(["--config", "color=blue=green"], "config", "color"), stdout="blue=green\n")
        expect(tally, "config as Wasmtime writes it", start(["-S", "config,config-var=color=red"], "config", "color"), stdout="red\n")
        expect(tally, "config of nothing", start([], "config", "color"), stdout="(none)\n")
        (here / "values").write_text("# a comment\n\ncolor=gray\n")
        expect(tally, "config from a file", start(["--config", f"@{here / 'values'}"], "config", "color"), stdout="gray\n")
        (here / "values").write_text("a=b\nnonsense\n")
        expect(tally, "config from a bad file", start(["--config", f"@{here / 'values'}"], "config", "a"), code=2, stderr_contains=["values:2", "NAME=VALUE"])
        expect(tally, "config from no file", start(["--config", "@/nowhere"], "config", "a"), code=2, stderr_contains=["@/nowhere"])

        expect(tally, "a log message is one line", start([], "log", "one\ntwo"), stdout="", stderr_contains=["warn tour: one\\ntwo\n"])

        expect(tally, "a bucket that nobody granted", start([], "count", ""), code=1, stdout="no-such-store\n")
        expect(tally, "another bucket", start(["--keyvalue", "a"], "count", "b"), code=1, stdout="no-such-store\n")
        for times in ("1", "1"):
            expect(tally, "a bucket in memory", start(["--keyvalue", "a"], "count", "a"), stdout=f"visits {times}\n")
        for times in ("1", "2"):
            expect(tally, "a bucket in a file", start(["--keyvalue", f"default={here / 'pairs.db'}"], "count", ""), stdout=f"visits {times}\n")
        expect(tally, "a bucket with a start", start(["-S", "keyvalue,keyvalue-in-memory-data=visits=41"], "count", "default"), stdout="visits 42\n")
        for grant in ("default", f"default={here / 'pairs.db'}"):
            expect(tally, f"compare and swap in {grant.split('/')[-1]}", start(["--keyvalue", grant], "swap", ""), stdout="swapped\nfailed, it is new\nnewer\n")
        (here / "text").write_text("not a database at all, whatever its name may say about it\n" * 20)
        expect(tally, "a bucket in what is no database", start(["--keyvalue", f"a={here / 'text'}"], "count", "a"), code=1, stderr_contains=["text"])
        expect(tally, "a bucket without a name", start(["--keyvalue", "=x"], "count", "a"), code=2, stderr_contains=["NAME=FILE"])
