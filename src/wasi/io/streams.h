// Byte streams as the host sees them: sources that bytes come from and sinks that they go to, each with its readiness. Every package gives
// its own (files, bodies, stdio); the 0.2 faces InputStream and OutputStream put the rules of wasi:io/streams on top, once for all.
// Nothing here holds guest memory over a suspension. Spec: wasi:io/streams.
#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <variant>

#include "wasi/filesystem/error.h"
#include "wasi/http/error.h"
#include "wasi/io/poll.h"
#include "wasi/sockets/error.h"

namespace cusp::wasi {

// wasi:io/error: a sentence, and what the package that failed can tell more exactly.
class IoError {
public:
  explicit IoError(std::string message) : message(std::move(message)) {}
  IoError(std::string message, FileError code) : message(std::move(message)), file(code) {}
  IoError(std::string message, HttpError code) : message(std::move(message)), http(std::move(code)) {}
  IoError(std::string message, SocketError code) : message(std::move(message)), network(code) {}
  std::string message;
  std::optional<FileError> file;
  std::optional<HttpError> http;
  std::optional<SocketError> network;
};

// Why a stream gives or takes no more. Without an error: closed.
struct StreamFailure {
  std::unique_ptr<IoError> error;
  bool closed() const { return !error; }
};
template <class T> using StreamResult = std::expected<T, StreamFailure>;
inline std::unexpected<StreamFailure> stream_closed() { return std::unexpected(StreamFailure{}); }
std::unexpected<StreamFailure> stream_failed(IoError error);

inline constexpr std::size_t kStreamChunk = 64 * 1024; // what one read or permit is about

class InputSource : public Waitable {
public:
  // Bytes that are there now, at most `limit`: a view until the next call. Empty: nothing now. At the end: closed.
  virtual StreamResult<std::span<const std::uint8_t>> peek(std::size_t limit) = 0;
  virtual void consume(std::size_t count) = 0;
  bool in_use() const { return handles_ != 0; }

private:
  friend class InputStream;
  std::uint32_t handles_ = 0;
};

class OutputSink : public Waitable {
public:
  // Bytes that write() takes now; 0: wait until ready().
  virtual StreamResult<std::uint64_t> check_write() = 0;
  // REQUIRES: as many as check_write() permitted.
  virtual StreamResult<void> write(std::span<const std::uint8_t> bytes) = 0;
  // Begins to send what was written. After it the sink is ready() once it takes more.
  virtual StreamResult<void> flush() = 0;
  bool in_use() const { return handles_ != 0; }

private:
  friend class OutputStream;
  std::uint32_t handles_ = 0;
};

// The resources. Dropping one leaves what lies behind to its other owners.
class InputStream {
public:
  explicit InputStream(Ref<InputSource> source) : source_(std::move(source)) { ++source_->handles_; }
  ~InputStream() { --source_->handles_; }
  InputStream(const InputStream&) = delete;
  InputSource& source() const { return *source_; }
  Ref<Waitable> waitable() const { return source_; }

private:
  Ref<InputSource> source_;
};

class OutputStream {
public:
  explicit OutputStream(Ref<OutputSink> sink) : sink_(std::move(sink)) { ++sink_->handles_; }
  ~OutputStream() { --sink_->handles_; }
  OutputStream(const OutputStream&) = delete;
  OutputSink& sink() const { return *sink_; }
  Ref<Waitable> waitable() const { return sink_; }

  StreamResult<std::uint64_t> check_write();
  // Takes `count` off the permit. False: the guest was not permitted as many; it must trap.
  bool use_permit(std::uint64_t count);

private:
  Ref<OutputSink> sink_;
  std::uint64_t permit_ = 0;
};

// What nobody feeds or reads.
class EmptySource final : public InputSource {
public:
  bool ready() override { return true; }
  StreamResult<std::span<const std::uint8_t>> peek(std::size_t) override { return stream_closed(); }
  void consume(std::size_t) override {}
};

class DiscardSink final : public OutputSink {
public:
  bool ready() override { return true; }
  StreamResult<std::uint64_t> check_write() override { return kStreamChunk; }
  StreamResult<void> write(std::span<const std::uint8_t>) override { return {}; }
  StreamResult<void> flush() override { return {}; }
};

} // namespace cusp::wasi
