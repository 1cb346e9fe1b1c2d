"""What a guest may do on the network: with the rules of `--net` and with Wasmtime's switches, against real sockets."""
import socket
import subprocess
import threading

from commands import cusp, expect
from harness import free_port

MINUTE = 60


class Greeter:
    """Answers one line on each connection."""

    def __enter__(self):
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()
        return self

    def serve(self):
        try:
            while True:
                connection, _ = self.socket.accept()
                with connection:
                    line = connection.makefile().readline()
                    connection.sendall(f"you said {line}".encode())
        except OSError:
            pass  # closed: the test is over

    def __exit__(self, *_):
        self.socket.close()


def clients(config, tally, guest):
    run = lambda options, *args: cusp(config, "run", "--opt-level", config.opt_level, *options, guest, *args)
    with Greeter() as greeter:
        port, here = str(greeter.port), ("client", "127", "0", "0", "1", str(greeter.port))
        answer = "answer: you said hello\n"
        for options in (["--net", f"tcp:127.0.0.1:{port}"], ["--net", "tcp:127.0.0.0/8:*"], ["--net", f"tcp:localhost:{port}"],
                        ["--net", "all"], ["--net", "tcp"], ["-S", "inherit-network"], ["-S", "inherit-network,udp=n"]):
            expect(tally, f"client with {' '.join(options)}", run(options, *here), stdout=answer)
        for options, text in (([], "create: access-denied\n"), (["--net", "udp"], "create: access-denied\n"),
                              (["--net", f"tcp:127.0.0.2:{port}"], "connect: access-denied\n"), (["--net", "tcp:127.0.0.1:1"], "connect: access-denied\n"),
                              (["-S", "tcp=n,inherit-network"], "create: access-denied\n")):
            expect(tally, f"client with {' '.join(options) or 'nothing'}", run(options, *here), code=1, stdout=text)
        expect(tally, "client of a name", run(["--net", f"tcp:localhost:{port}"], "client-of", "localhost", port), stdout=answer)
        expect(tally, "client of another name", run(["--net", f"tcp:localhost:{port}"], "client-of", "example.com", port), code=1,
               stdout="lookup: permanent-resolver-failure\n")
        expect(tally, "client without look-ups", run(["-S", "inherit-network,allow-ip-name-lookup=n"], "client-of", "localhost", port),
               code=1, stdout="lookup: permanent-resolver-failure\n")
    expect(tally, "client of nobody", run(["--net", "all"], "client", "127", "0", "0", "1", str(free_port())), code=1, stdout="connect: connection-refused\n")
    for rule, text in (("tcp:somewhere", "the port is missing"), ("tcp:a/b:80", "no address and no name"), ("sctp", "tcp-bind:HOST:PORT")):
        expect(tally, f"--net {rule}", run(["--net", rule], *here), code=2, stderr_contains=[text])


def server(config, tally, guest):
    expect(tally, "server without a rule", cusp(config, "run", "--opt-level", config.opt_level, "--net", "tcp", guest, "server", "0"), code=1, stdout="listen: access-denied\n")
    command = [config.cusp, "run", "--opt-level", config.opt_level, "--net", "tcp-bind:127.0.0.1:0", guest, "server", "0"]
    process = subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=config.env)
    try:
        port = int(process.stdout.readline().removeprefix("listening ") or 0)
        with socket.create_connection(("127.0.0.1", port), config.slow(MINUTE)) as connection:
            connection.sendall(b"good day")
            connection.shutdown(socket.SHUT_WR)
            got = connection.makefile().read()
        tally.check("server: the answer", [] if got == "you said: good day" else [repr(got)])
        stdout, stderr = process.communicate(timeout=config.slow(MINUTE))
        expect(tally, "server", subprocess.CompletedProcess(command, process.returncode, stdout, stderr), stdout="")
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()


def run(config, tally):
    guest = config.guests / "net-tour.wasm"
    clients(config, tally, guest)
    server(config, tally, guest)
