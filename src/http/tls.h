// TLS as a transformation of bytes: a session takes what the peer sent and gives what is to be sent to it; who carries the bytes is somebody
// else's business (SocketStream, or a guest's own streams). OpenSSL does the work, behind this file. A session belongs to one thread at a time;
// handshake() computes for milliseconds and uses much stack, so it belongs on the loop's pool.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"

namespace cusp::http {

using base::Result;

class TlsSession {
public:
  enum class Step : std::uint8_t { Done, NeedsInput };

  TlsSession(const TlsSession&) = delete;
  ~TlsSession();

  // Goes on until it is done or needs more from the peer. Error: Invalid, the certificate is not to be trusted; Io, the peer speaks
  // something else or has refused.
  Result<Step> handshake();

  // From the peer.
  void give(std::span<const std::uint8_t> bytes);
  // To the peer, as soon as may be.
  std::string_view output() const { return std::string_view(out_).substr(sent_); }
  void sent(std::size_t count);

  // Plain bytes. Done with 0 bytes: the peer has said that it sends no more. NeedsInput: nothing there now. Error: Io.
  Result<Step> read(std::span<std::uint8_t> into, std::size_t& got);
  Result<void> write(std::span<const std::uint8_t> bytes); // all of it, into output()
  void close();                                            // says to the peer that there is no more

private:
  friend class TlsClient;
  TlsSession();
  void collect(); // what OpenSSL wants sent
  std::unexpected<base::Error> failed(std::string_view doing);
  struct State;
  std::unique_ptr<State> state_;
  std::string out_;
  std::size_t sent_ = 0;
};

// Whom a client trusts: the system's certificates, read when TLS is first used, and those in a file. Shared by all threads.
class TlsClient {
public:
  // `ca_file`: more certificates to trust, in PEM; empty: none. Error: Io, which names the file.
  static Result<std::shared_ptr<const TlsClient>> create(const std::string& ca_file);
  ~TlsClient();

  // For a peer that must prove to be `host` (a name, or an address). `protocol`: offered by ALPN; empty: none. May read files: on the pool.
  Result<std::unique_ptr<TlsSession>> connect(const std::string& host, std::string_view protocol) const;

private:
  TlsClient();
  struct State;
  std::unique_ptr<State> state_;
};

} // namespace cusp::http
