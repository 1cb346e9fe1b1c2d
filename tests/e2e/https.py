"""Outgoing https against real TLS servers: whom the client trusts, what it sends, and what it answers when it does not."""
import http.client
import http.server
import pathlib
import socket
import ssl
import subprocess
import tempfile
import threading

from harness import Server

# Cases of wasi:http's error-code, as the guest shows them.
TLS_PROTOCOL_ERROR, TLS_CERTIFICATE_ERROR = 12, 13


class Hello(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        tls = self.connection
        body = f"{self.path} {self.headers['host'].split(':')[0]} sni {self.server.seen} alpn {tls.selected_alpn_protocol()}\n".encode()
        if self.path == "/large":
            body = b"x" * 1_000_000
        self.send_response(200)
        if self.path == "/chunked":
            self.send_header("transfer-encoding", "chunked")
            self.end_headers()
            for letter in b"chunks":
                self.wfile.write(b"1\r\n" + bytes([letter]) + b"\r\n")
            self.wfile.write(b"0\r\n\r\n")
            return
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class TlsServer:
    def __init__(self, folder, name, subject):
        self.certificate = folder / f"{name}.pem"
        key = folder / f"{name}.key"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1", "-keyout", key,
                        "-out", self.certificate, "-subj", "/CN=cusp test", "-addext", f"subjectAltName={subject}"], check=True, capture_output=True)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(self.certificate, key)
        self.context.set_alpn_protocols(["h2", "http/1.1"])
        self.context.sni_callback = lambda connection, name, context: setattr(self.server, "seen", name)

    def __enter__(self):
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hello)
        self.server.seen, self.server.daemon_threads = None, True
        self.server.handle_error = lambda *_: None  # a client that does not trust us
        self.server.socket = self.context.wrap_socket(self.server.socket, server_side=True)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


def ask(server, url):
    with server.connect() as connection:
        connection.sendall(f"GET /outbound?url={url} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n".encode())
        answer = http.client.HTTPResponse(connection)
        answer.begin()
        try:
            return answer.status, answer.read().decode()
        except http.client.IncompleteRead as error:
            return answer.status, error.partial.decode() + " (incomplete)"


def check(tally, name, got, want):
    tally.check(name, [] if got == want else [f"{got!r}"[:300] + f", want {want!r}"[:300]])


def run(config, tally):
    guest = config.guests / "http-kit.wasm"
    with tempfile.TemporaryDirectory(prefix="cusp-https-") as folder:
        folder = pathlib.Path(folder)
        with TlsServer(folder, "trusted", "DNS:localhost,IP:127.0.0.1") as trusted, TlsServer(folder, "elsewhere", "DNS:elsewhere.example") as elsewhere:
            both = folder / "both.pem"
            both.write_text(trusted.certificate.read_text() + elsewhere.certificate.read_text())
            with Server(config, guest, "--ca-file", both) as server:
                check(tally, "https by name", ask(server, f"https://localhost:{trusted.port}/a"), (200, "/a localhost sni localhost alpn http/1.1\n"))
                check(tally, "https by address", ask(server, f"https://127.0.0.1:{trusted.port}/b"), (200, "/b 127.0.0.1 sni None alpn http/1.1\n"))
                check(tally, "https, chunked", ask(server, f"https://localhost:{trusted.port}/chunked"), (200, "chunks"))
                check(tally, "https, large", ask(server, f"https://localhost:{trusted.port}/large"), (200, "x" * 1_000_000))
                check(tally, "https of another name", ask(server, f"https://localhost:{elsewhere.port}/"), (502, f"error-code {TLS_CERTIFICATE_ERROR}"))
                with socket.create_server(("127.0.0.1", 0)) as plain:
                    threading.Thread(target=lambda: plain.accept()[0].sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n"), daemon=True).start()
                    check(tally, "https where there is none", ask(server, f"https://localhost:{plain.getsockname()[1]}/"), (502, f"error-code {TLS_PROTOCOL_ERROR}"))
                check(tally, "https afterwards", ask(server, f"https://localhost:{trusted.port}/a"), (200, "/a localhost sni localhost alpn http/1.1\n"))
            with Server(config, guest) as server:
                check(tally, "https of a stranger", ask(server, f"https://localhost:{trusted.port}/a"), (502, f"error-code {TLS_CERTIFICATE_ERROR}"))
        refused = subprocess.run([config.cusp, "serve", "--ca-file", folder / "none.pem", guest], capture_output=True, text=True, env=config.env, timeout=config.slow(60))
        tally.check("a certificate file that is not there", [] if refused.returncode == 1 and "none.pem" in refused.stderr else [refused.stderr[-400:]])
