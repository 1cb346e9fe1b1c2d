// A command that uses TCP as the host grants it: net-tour client A B C D PORT | client-of NAME PORT | server PORT.
#include "cusp/guest/system.hpp"

using namespace cusp::guest;

namespace sockets_abi {
extern "C" {
CUSP_IMPORT("wasi:sockets/instance-network@0.2.0", "instance-network") int32_t instance_network();
CUSP_IMPORT("wasi:sockets/tcp-create-socket@0.2.0", "create-tcp-socket") void create(int32_t family, void* ret);
// ip-socket-address travels flat: the case, then as many integers as the wider case (IPv6) has.
#define ADDRESS                                                                                                        \
  int32_t kind, int32_t port, int32_t a, int32_t b, int32_t c, int32_t d, int32_t e, int32_t f, int32_t g, int32_t h,  \
      int32_t i, int32_t j
CUSP_IMPORT("wasi:sockets/tcp@0.2.0", "[method]tcp-socket.start-bind")
void start_bind(int32_t self, int32_t network, ADDRESS, void* ret);
CUSP_IMPORT("wasi:sockets/tcp@0.2.0", "[method]tcp-socket.finish-bind") void finish_bind(int32_t self, void* ret);
CUSP_IMPORT("wasi:sockets/tcp@0.2.0", "[method]tcp-socket.start-listen") void start_listen(int32_t self, void* ret);
CUSP_IMPORT("wasi:sockets/tcp@0.2.0", "[method]tcp-socket.finish-listen") void finish_listen(int32_t self, void* ret);
CUSP_IMPORT("wasi:sockets/tcp@0.2.0", "[method]tcp-socket.start-connect")
void start_connect(int32_t self, int32_t network, ADDRESS, void* ret);
CUSP_IMPORT("wasi:sockets/tcp@0.2.0", "[method]tcp-socket.finish-connect") void finish_connect(int32_t self, void* ret);
CUSP_IMPORT("wasi:sockets/tcp@0.2.0", "[method]tcp-socket.accept") void take_connection(int32_t self, void* ret);
CUSP_IMPORT("wasi:sockets/tcp@0.2.0", "[method]tcp-socket.local-address") void local_address(int32_t self, void* ret);
CUSP_IMPORT("wasi:sockets/tcp@0.2.0", "[method]tcp-socket.subscribe") int32_t subscribe(int32_t self);
CUSP_IMPORT("wasi:sockets/ip-name-lookup@0.2.0", "resolve-addresses")
void resolve(int32_t network, const char* name, size_t size, void* ret);
CUSP_IMPORT("wasi:sockets/ip-name-lookup@0.2.0", "[method]resolve-address-stream.resolve-next-address")
void resolve_next(int32_t self, void* ret);
CUSP_IMPORT("wasi:sockets/ip-name-lookup@0.2.0", "[method]resolve-address-stream.subscribe")
int32_t resolve_subscribe(int32_t self);
}
} // namespace sockets_abi
using namespace sockets_abi;

constexpr int32_t kAccessDenied = 1, kWouldBlock = 8, kConnectionRefused = 14, kNotResolved = 20;

static void print(View text) { write_all(system_abi::get_stdout(), text); }
static bool failed(View what, int32_t code) {
  print(Text().add(what).add(code == kAccessDenied        ? ": access-denied\n"
                             : code == kConnectionRefused ? ": connection-refused\n"
                             : code == kNotResolved       ? ": permanent-resolver-failure\n"
                                                          : ": another error\n"));
  return false;
}
static void wait(int32_t pollable) {
  system_abi::pollable_block(pollable);
  system_abi::pollable_drop(pollable);
}
static int32_t number(View text) {
  int32_t value = 0;
  for (size_t i = 0; i < text.size; ++i) value = value * 10 + (text.data[i] - '0');
  return value;
}
static Text& read_all(int32_t input, Text& into) {
  for (;;) {
    Returned<12> part;
    http_abi::stream_read(input, 4096, &part);
    if (part.byte(0) != 0) return into;
    into.add(part.view(4));
  }
}

struct Address {
  int32_t part[4] = {127, 0, 0, 1};
};

static bool client(Address to, int32_t port) {
  Returned<8> made, started;
  create(0, &made);
  if (made.byte(0) != 0) return failed("create", made.byte(4));
  int32_t socket = made.word(4);
  start_connect(socket, instance_network(), 0, port, to.part[0], to.part[1], to.part[2], to.part[3], 0, 0, 0, 0, 0, 0,
                &started);
  if (started.byte(0) != 0) return failed("connect", started.byte(1));
  Returned<12> connected;
  for (;;) {
    finish_connect(socket, &connected);
    if (connected.byte(0) == 0) break;
    if (connected.byte(4) != kWouldBlock) return failed("connect", connected.byte(4));
    wait(subscribe(socket));
  }
  write_all(connected.word(8), "hello\n");
  Text answer;
  print(Text().add("answer: ").add(read_all(connected.word(4), answer)));
  return true;
}

static bool client_of(View name, int32_t port) {
  Returned<8> looking;
  resolve(instance_network(), name.data, name.size, &looking);
  if (looking.byte(0) != 0) return failed("lookup", looking.byte(4));
  Returned<22> next;
  for (;;) {
    resolve_next(looking.word(4), &next);
    if (next.byte(0) != 0 && next.byte(2) == kWouldBlock) {
      wait(resolve_subscribe(looking.word(4)));
      continue;
    }
    if (next.byte(0) != 0) return failed("lookup", next.byte(2));
    if (next.byte(2) == 0) return failed("lookup", 0);
    if (next.byte(4) == 0) break; // IPv4
  }
  return client({{next.byte(6), next.byte(7), next.byte(8), next.byte(9)}}, port);
}

static bool server(int32_t port) {
  Returned<8> made, done;
  create(0, &made);
  if (made.byte(0) != 0) return failed("create", made.byte(4));
  int32_t socket = made.word(4);
  start_bind(socket, instance_network(), 0, port, 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, &done);
  if (done.byte(0) != 0) return failed("bind", done.byte(1));
  finish_bind(socket, &done);
  start_listen(socket, &done);
  if (done.byte(0) != 0) return failed("listen", done.byte(1));
  finish_listen(socket, &done);
  Returned<36> address;
  local_address(socket, &address);
  print(Text().add("listening ").add_number(static_cast<uint64_t>(address.byte(8) | address.byte(9) << 8)).add("\n"));
  wait(subscribe(socket));
  Returned<16> accepted;
  take_connection(socket, &accepted);
  if (accepted.byte(0) != 0) return failed("accept", accepted.byte(4));
  Text question;
  write_all(accepted.word(12), Text().add("you said: ").add(read_all(accepted.word(8), question)));
  return true;
}

static bool run() {
  View what = argument(1);
  if (what == View("client"))
    return client({{number(argument(2)), number(argument(3)), number(argument(4)), number(argument(5))}},
                  number(argument(6)));
  if (what == View("client-of")) return client_of(argument(2), number(argument(3)));
  return server(number(argument(2)));
}

CUSP_GUEST_RUNTIME

extern "C" CUSP_EXPORT("wasi:cli/run@0.2.0#run") int32_t cusp_guest_run() { return run() ? 0 : 1; }
