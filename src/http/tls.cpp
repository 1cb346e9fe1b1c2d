#include "http/tls.h"

#include <algorithm>
#include <mutex>

#include <arpa/inet.h>
#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

namespace cusp::http {

using base::ErrorCode;

namespace {

constexpr std::size_t kCollect = 16 * 1024;

// The newest reason that OpenSSL has, and none left for the next.
std::string reason() {
  unsigned long code = ERR_peek_last_error();
  ERR_clear_error();
  const char* text = code ? ERR_reason_error_string(code) : nullptr;
  return text ? text : "the peer broke off";
}

bool is_address(const std::string& host) {
  unsigned char parsed[sizeof(in6_addr)];
  return inet_pton(AF_INET, host.c_str(), parsed) == 1 || inet_pton(AF_INET6, host.c_str(), parsed) == 1;
}

struct Free {
  void operator()(SSL* ssl) const { SSL_free(ssl); }
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
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
  while (std::size_t waiting = BIO_ctrl_pending(state_->out)) {
    std::size_t before = out_.size();
    out_.resize(before + std::min(waiting, kCollect));
    int got = BIO_read(state_->out, out_.data() + before, static_cast<int>(out_.size() - before));
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
  BIO_write(state_->in, bytes.data(), static_cast<int>(bytes.size())); // a memory BIO takes all
}

std::unexpected<base::Error> TlsSession::failed(std::string_view doing) {
  return base::fail(ErrorCode::Io, fmt::format("TLS failed {}: {}", doing, reason()));
}

Result<TlsSession::Step> TlsSession::handshake() {
  ERR_clear_error();
  int done = SSL_do_handshake(state_->ssl.get());
  collect(); // also an alert that tells the peer why not
  if (done == 1) return Step::Done;
  if (SSL_get_error(state_->ssl.get(), done) == SSL_ERROR_WANT_READ) return Step::NeedsInput;
  if (long verdict = SSL_get_verify_result(state_->ssl.get()); verdict != X509_V_OK) {
    ERR_clear_error();
    return base::fail(ErrorCode::Invalid,
                      fmt::format("the peer's certificate is not trusted: {}", X509_verify_cert_error_string(verdict)));
  }
  return failed("in the handshake");
}

Result<TlsSession::Step> TlsSession::read(std::span<std::uint8_t> into, std::size_t& got) {
  got = 0;
  ERR_clear_error();
  int done = SSL_read_ex(state_->ssl.get(), into.data(), into.size(), &got);
  collect();
  if (done == 1) return Step::Done;
  switch (SSL_get_error(state_->ssl.get(), done)) {
  case SSL_ERROR_ZERO_RETURN: return Step::Done;
  case SSL_ERROR_WANT_READ: return Step::NeedsInput;
  default: return failed("in reading");
  }
}

Result<void> TlsSession::write(std::span<const std::uint8_t> bytes) {
  ERR_clear_error();
  std::size_t written = 0;
  int done = bytes.empty() ? 1 : SSL_write_ex(state_->ssl.get(), bytes.data(), bytes.size(), &written);
  collect();
  if (done != 1) return failed("in writing");
  return {};
}

void TlsSession::close() {
  SSL_shutdown(state_->ssl.get());
  collect();
  ERR_clear_error();
}

struct TlsClient::State {
  std::unique_ptr<SSL_CTX, Free> context;
  std::once_flag once;
  std::string why; // there is no context

  // Milliseconds of OpenSSL's own beginnings, and the system's certificates: only who uses TLS pays for them.
  void make() {
    context.reset(SSL_CTX_new(TLS_client_method()));
    if (!context) {
      why = reason();
      return;
    }
    SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
    SSL_CTX_set_options(context.get(), SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    SSL_CTX_set_mode(context.get(), SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, nullptr);
    SSL_CTX_set_default_verify_paths(context.get());
  }
};

TlsClient::TlsClient() : state_(std::make_unique<State>()) {}
TlsClient::~TlsClient() = default;

Result<std::shared_ptr<const TlsClient>> TlsClient::create(const std::string& ca_file) {
  std::shared_ptr<TlsClient> client(new TlsClient);
  if (ca_file.empty()) return client;
  State& state = *client->state_;
  std::call_once(state.once, [&] { state.make(); });
  if (!state.context || SSL_CTX_load_verify_file(state.context.get(), ca_file.c_str()) != 1)
    return base::fail(ErrorCode::Io, fmt::format("cannot read certificates from {}: {}", ca_file, reason()));
  return client;
}

Result<std::unique_ptr<TlsSession>> TlsClient::connect(const std::string& host, std::string_view protocol) const {
  std::call_once(state_->once, [&] { state_->make(); });
  if (!state_->context) return base::fail(ErrorCode::Internal, fmt::format("cannot use TLS: {}", state_->why));
  std::unique_ptr<TlsSession> session(new TlsSession);
  TlsSession::State& state = *session->state_;
  state.ssl.reset(SSL_new(state_->context.get()));
  state.in = BIO_new(BIO_s_mem());
  state.out = BIO_new(BIO_s_mem());
  if (!state.ssl || !state.in || !state.out) {
    BIO_free(state.in);
    BIO_free(state.out);
    return base::fail(ErrorCode::LimitExceeded, "there is no memory for TLS");
  }
  SSL* ssl = state.ssl.get();
  SSL_set_bio(ssl, state.in, state.out);
  SSL_set_connect_state(ssl);
  X509_VERIFY_PARAM* expected = SSL_get0_param(ssl);
  X509_VERIFY_PARAM_set_hostflags(expected, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
  // An address has no place in SNI. RFC 6066, 3.
  const bool address = is_address(host);
  bool set = address ? X509_VERIFY_PARAM_set1_ip_asc(expected, host.c_str()) == 1
                     : X509_VERIFY_PARAM_set1_host(expected, host.data(), host.size()) == 1 &&
                           SSL_set_tlsext_host_name(ssl, host.c_str()) == 1;
  if (!protocol.empty()) {
    std::string list(1, static_cast<char>(protocol.size()));
    list += protocol;
    // 0 is success here, unlike everywhere else.
    set = set && SSL_set_alpn_protos(ssl, reinterpret_cast<const unsigned char*>(list.data()),
                                     static_cast<unsigned>(list.size())) == 0;
  }
  if (!set)
    return base::fail(ErrorCode::InvalidArgument, fmt::format("'{}' is no name for a TLS peer: {}", host, reason()));
  return session;
}

} // namespace cusp::http
