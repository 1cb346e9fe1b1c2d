#include "http/tls.h"

#include <algorithm>
#include <mutex>

#include <arpa/inet.h>
#include <fmt/format.h>

#include "http/openssl.h"

namespace cusp::http {

using base::ErrorCode;

namespace {

constexpr std::size_t kCollect = 16 * 1024;

// The newest reason that OpenSSL has, and none left for the next.
std::string reason() {
  unsigned long code = openssl().ERR_peek_last_error();
  openssl().ERR_clear_error();
  const char* text = code ? openssl().ERR_reason_error_string(code) : nullptr;
  return text ? text : "the peer broke off";
}

bool is_address(const std::string& host) {
  unsigned char parsed[sizeof(in6_addr)];
  return inet_pton(AF_INET, host.c_str(), parsed) == 1 || inet_pton(AF_INET6, host.c_str(), parsed) == 1;
}

struct Free {
  void operator()(SSL* ssl) const { openssl().SSL_free(ssl); }
  void operator()(SSL_CTX* context) const { openssl().SSL_CTX_free(context); }
};

} // namespace

struct TlsSession::State {
  std::unique_ptr<SSL, Free> ssl;
  BIO* in = nullptr; // both belong to ssl
  BIO* out = nullptr;
};

TlsSession::TlsSession() : state_(std::make_unique<State>()) {}
TlsSession::~TlsSession() = default;

void TlsSession::collect() {
  while (std::size_t waiting = openssl().BIO_ctrl_pending(state_->out)) {
    std::size_t before = out_.size();
    out_.resize(before + std::min(waiting, kCollect));
    int got = openssl().BIO_read(state_->out, out_.data() + before, static_cast<int>(out_.size() - before));
    out_.resize(before + static_cast<std::size_t>(std::max(got, 0)));
    if (got <= 0) return;
  }
}

void TlsSession::sent(std::size_t count) {
  sent_ += count;
  if (sent_ != out_.size()) return;
  out_.clear();
  sent_ = 0;
}

void TlsSession::give(std::span<const std::uint8_t> bytes) {
  openssl().BIO_write(state_->in, bytes.data(), static_cast<int>(bytes.size())); // a memory BIO takes all
}

std::unexpected<base::Error> TlsSession::failed(std::string_view doing) {
  return base::fail(ErrorCode::Io, fmt::format("TLS failed {}: {}", doing, reason()));
}

Result<TlsSession::Step> TlsSession::handshake() {
  openssl().ERR_clear_error();
  int done = openssl().SSL_do_handshake(state_->ssl.get());
  collect(); // also an alert that tells the peer why not
  if (done == 1) return Step::Done;
  if (openssl().SSL_get_error(state_->ssl.get(), done) == SSL_ERROR_WANT_READ) return Step::NeedsInput;
  if (long verdict = openssl().SSL_get_verify_result(state_->ssl.get()); verdict != X509_V_OK) {
    openssl().ERR_clear_error();
    return base::fail(ErrorCode::Invalid, fmt::format("the peer's certificate is not trusted: {}",
                                                      openssl().X509_verify_cert_error_string(verdict)));
  }
  return failed("in the handshake");
}

Result<TlsSession::Step> TlsSession::read(std::span<std::uint8_t> into, std::size_t& got) {
  got = 0;
  openssl().ERR_clear_error();
  int done = openssl().SSL_read_ex(state_->ssl.get(), into.data(), into.size(), &got);
  collect();
  if (done == 1) return Step::Done;
  switch (openssl().SSL_get_error(state_->ssl.get(), done)) {
  case SSL_ERROR_ZERO_RETURN: return Step::Done;
  case SSL_ERROR_WANT_READ: return Step::NeedsInput;
  default: return failed("in reading");
  }
}

Result<void> TlsSession::write(std::span<const std::uint8_t> bytes) {
  openssl().ERR_clear_error();
  std::size_t written = 0;
  int done = bytes.empty() ? 1 : openssl().SSL_write_ex(state_->ssl.get(), bytes.data(), bytes.size(), &written);
  collect();
  if (done != 1) return failed("in writing");
  return {};
}

void TlsSession::close() {
  openssl().SSL_shutdown(state_->ssl.get());
  collect();
  openssl().ERR_clear_error();
}

struct TlsClient::State {
  std::unique_ptr<SSL_CTX, Free> context;
  std::once_flag once;
  std::string why; // there is no context

  // Milliseconds of OpenSSL's own beginnings, and the system's certificates: only who uses TLS pays for them.
  void make() {
    if (auto opened = open_openssl(); !opened) {
      why = opened.error().message;
      return;
    }
    context.reset(openssl().SSL_CTX_new(openssl().TLS_client_method()));
    if (!context) {
      why = reason();
      return;
    }
    openssl().SSL_CTX_ctrl(context.get(), SSL_CTRL_SET_MIN_PROTO_VERSION, TLS1_2_VERSION, nullptr);
    openssl().SSL_CTX_set_options(context.get(), SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    openssl().SSL_CTX_ctrl(context.get(), SSL_CTRL_MODE, SSL_MODE_RELEASE_BUFFERS, nullptr);
    openssl().SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, nullptr);
    openssl().SSL_CTX_set_default_verify_paths(context.get());
  }
};

TlsClient::TlsClient() : state_(std::make_unique<State>()) {}
TlsClient::~TlsClient() = default;

Result<std::shared_ptr<const TlsClient>> TlsClient::create(const std::string& ca_file) {
  std::shared_ptr<TlsClient> client(new TlsClient);
  if (ca_file.empty()) return client;
  State& state = *client->state_;
  std::call_once(state.once, [&] { state.make(); });
  if (!state.context) return base::fail(ErrorCode::NotFound, state.why);
  if (openssl().SSL_CTX_load_verify_file(state.context.get(), ca_file.c_str()) != 1)
    return base::fail(ErrorCode::Io, fmt::format("cannot read certificates from {}: {}", ca_file, reason()));
  return client;
}

Result<std::unique_ptr<TlsSession>> TlsClient::connect(const std::string& host, std::string_view protocol) const {
  std::call_once(state_->once, [&] { state_->make(); });
  if (!state_->context) return base::fail(ErrorCode::Internal, fmt::format("cannot use TLS: {}", state_->why));
  std::unique_ptr<TlsSession> session(new TlsSession);
  TlsSession::State& state = *session->state_;
  state.ssl.reset(openssl().SSL_new(state_->context.get()));
  state.in = openssl().BIO_new(openssl().BIO_s_mem());
  state.out = openssl().BIO_new(openssl().BIO_s_mem());
  if (!state.ssl || !state.in || !state.out) {
    openssl().BIO_free(state.in);
    openssl().BIO_free(state.out);
    return base::fail(ErrorCode::LimitExceeded, "there is no memory for TLS");
  }
  SSL* ssl = state.ssl.get();
  openssl().SSL_set_bio(ssl, state.in, state.out);
  openssl().SSL_set_connect_state(ssl);
  X509_VERIFY_PARAM* expected = openssl().SSL_get0_param(ssl);
  openssl().X509_VERIFY_PARAM_set_hostflags(expected, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
  // An address has no place in SNI. RFC 6066, 3.
  const bool address = is_address(host);
  bool set = address ? openssl().X509_VERIFY_PARAM_set1_ip_asc(expected, host.c_str()) == 1
                     : openssl().X509_VERIFY_PARAM_set1_host(expected, host.data(), host.size()) == 1 &&
                           openssl().SSL_ctrl(ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
                                              const_cast<char*>(host.c_str())) == 1;
  if (!protocol.empty()) {
    std::string list(1, static_cast<char>(protocol.size()));
    list += protocol;
    // 0 is success here, unlike everywhere else.
    set = set && openssl().SSL_set_alpn_protos(ssl, reinterpret_cast<const unsigned char*>(list.data()),
                                               static_cast<unsigned>(list.size())) == 0;
  }
  if (!set)
    return base::fail(ErrorCode::InvalidArgument, fmt::format("'{}' is no name for a TLS peer: {}", host, reason()));
  return session;
}

} // namespace cusp::http
