// What belongs to one use of a component instance: whose it is, until when it may run, where its output goes. The embedder makes one per
// request on its stack; it costs nothing, because what does not change between requests stands in the shared, immutable Config. Host functions
// find it through CallContext::host<Context>(). It must outlive the instance's handles: reset the instance first.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "canon/context.h"
#include "http/tls.h"
#include "wasi/filesystem/descriptor.h"
#include "wasi/io/streams.h"
#include "wasi/keyvalue/store.h"
#include "wasi/sockets/policy.h"

namespace cusp::wasi {

class ServerExchange;

struct Preopen {
  std::shared_ptr<const OpenFile> directory;
  std::string guest_path;
  bool writable = true;
};

// Shared by all requests and threads.
struct Config {
  std::vector<std::string> arguments;
  std::vector<std::pair<std::string, std::string>> environment;
  std::vector<Preopen> preopens;
  std::vector<std::shared_ptr<const base::UniqueFd>> listeners; // TCP sockets that listen, for WASI 0.1's sock_accept
  IoMode file_io = IoMode::Pool;
  bool outgoing_http = true;
  std::shared_ptr<const http::TlsClient> tls; // for https; null: none
  NetworkPolicy network;
  std::uint64_t max_random_bytes = std::uint64_t{64} << 20; // of one call
  std::optional<std::string> initial_cwd;
  std::vector<std::pair<std::string, std::string>> configuration;             // wasi:config
  std::map<std::string, std::shared_ptr<KeyValueStore>, std::less<>> buckets; // wasi:keyvalue, by name
};

// The guest's standard streams. Made when the guest asks for one.
class Stdio {
public:
  virtual ~Stdio() = default;
  virtual Ref<InputSource> stdin_source() { return Ref<InputSource>(new EmptySource); }
  virtual Ref<OutputSink> stdout_sink() { return Ref<OutputSink>(new DiscardSink); }
  virtual Ref<OutputSink> stderr_sink() { return Ref<OutputSink>(new DiscardSink); }
  virtual bool is_terminal(int) const { return false; } // 0, 1, 2
};

struct Context {
  const Config* config = nullptr;
  Stdio* stdio = nullptr;
  loop::TimePoint deadline = loop::kNever; // the guest waits no longer than this
  std::vector<ServerExchange*> exchanges;  // the HTTP requests being answered
  std::optional<std::uint8_t> exit_code;   // set by wasi:cli/exit and proc_exit, which then trap
  std::uint64_t insecure_state = 0;        // of random's insecure generator; 0: not seeded
  std::optional<std::pair<std::uint64_t, std::uint64_t>> insecure_seed; // once it was asked for

  std::vector<ResolvedName> resolved_names; // that the guest has looked up

  NetworkAccess network() { return {config->network, resolved_names}; }
  // The guest stops here: what it has answered so far is not kept from its clients.
  void flush();
};

// While an HTTP request is being answered.
class Answering {
public:
  Answering(Context& context, ServerExchange& exchange) : context_(context), exchange_(exchange) {
    context_.exchanges.push_back(&exchange);
  }
  ~Answering() { std::erase(context_.exchanges, &exchange_); }
  Answering(const Answering&) = delete;

private:
  Context& context_;
  ServerExchange& exchange_;
};

// Suspends until one of them is ready, as long as the context may wait. Otherwise the trap that the guest ends with.
std::expected<void, canon::Trap> wait_in(Context& context, std::span<Waitable* const> what);

// Suspends until ready. False: cx has trapped (out of time, or nothing could end the wait).
bool block(canon::CallContext& cx, Waitable& what);
bool block_any(canon::CallContext& cx, std::span<Waitable* const> what);

// A list<u8> result made from host bytes.
canon::GuestBytes to_guest(canon::CallContext& cx, std::span<const std::uint8_t> bytes);

} // namespace cusp::wasi
