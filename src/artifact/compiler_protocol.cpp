#include "artifact/compiler_protocol.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <poll.h>
#include <unistd.h>

#include <fmt/format.h>

namespace cusp::artifact {

using base::Error;
using base::ErrorCode;
using base::fail;
using base::fail_errno;
using base::Result;

namespace {

struct Header {
  std::uint32_t magic, kind;
  std::uint64_t size;
};
constexpr std::string_view kFuelSetting = ",fuel";
constexpr std::uint32_t kMagic = 0x31465043; // "CPF1"

struct ErrorRow {
  ErrorCode code{};
  std::string message, file;
  std::optional<std::uint64_t> byte_offset;
  std::optional<std::uint32_t> line;
  template <class A> void fields(A& a) { a(code, message, file, byte_offset, line); }
};

Result<void> wait_for(int fd, short what, Deadline deadline) {
  if (!deadline) return {};
  for (;;) {
    auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(*deadline - std::chrono::steady_clock::now()).count();
    if (left < 0) return fail(ErrorCode::Timeout, "the time limit was reached");
    pollfd entry{fd, what, 0};
    int ready = poll(&entry, 1, static_cast<int>(std::min<std::int64_t>(left + 1, 60'000)));
    if (ready > 0) return {};
    if (ready < 0 && errno != EINTR) return fail_errno("wait for", "the compiler", errno);
  }
}

// How many bytes came before the end of the input.
Result<std::size_t> read_all(int fd, std::uint8_t* to, std::size_t size, Deadline deadline) {
  std::size_t at = 0;
  while (at < size) {
    CUSP_TRY(wait_for(fd, POLLIN, deadline));
    ssize_t got = ::read(fd, to + at, std::min<std::size_t>(size - at, 1 << 30));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail_errno("read from", "the compiler's pipe", errno);
    if (got == 0) break;
    at += static_cast<std::size_t>(got);
  }
  return at;
}

Result<void> write_all(int fd, const void* from, std::size_t size, Deadline deadline) {
  for (std::size_t at = 0; at < size;) {
    CUSP_TRY(wait_for(fd, POLLOUT, deadline));
    ssize_t put = ::write(fd, static_cast<const char*>(from) + at, std::min<std::size_t>(size - at, 1 << 30));
    if (put < 0 && (errno == EINTR || (deadline && errno == EAGAIN))) continue;
    if (put < 0) return fail_errno("write to", "the compiler's pipe", errno);
    at += static_cast<std::size_t>(put);
  }
  return {};
}

} // namespace

Result<Frame> read_frame(int fd, Deadline deadline) {
  Header header{};
  std::size_t got = CUSP_TRY(read_all(fd, reinterpret_cast<std::uint8_t*>(&header), sizeof header, deadline));
  if (got == 0) return fail(ErrorCode::NotFound, "there is nothing more to read");
  if (got < sizeof header || header.magic != kMagic || header.size > kMaxFrame || header.kind == 0 ||
      header.kind > static_cast<std::uint32_t>(FrameKind::Made))
    return fail(ErrorCode::Corrupt, "what came through the compiler's pipe is not a frame");
  Frame frame{static_cast<FrameKind>(header.kind), {}};
  // In steps, so that a header that lies costs no memory.
  while (frame.payload.size() < header.size) {
    std::size_t at = frame.payload.size(), step = std::min<std::size_t>(header.size - at, std::size_t{16} << 20);
    frame.payload.resize(at + step);
    if (CUSP_TRY(read_all(fd, frame.payload.data() + at, step, deadline)) < step)
      return fail(ErrorCode::Corrupt, "the compiler's pipe ended in the middle of a frame");
  }
  return frame;
}

Result<void> write_frame(int fd, FrameKind kind, std::span<const std::uint8_t> payload, Deadline deadline) {
  Header header{kMagic, static_cast<std::uint32_t>(kind), payload.size()};
  CUSP_TRY(write_all(fd, &header, sizeof header, deadline));
  return write_all(fd, payload.data(), payload.size(), deadline);
}

std::vector<std::uint8_t> write_error(const Error& error) {
  ErrorRow row{error.code, error.message, error.file, error.byte_offset, error.line};
  return base::archive_write(row);
}

Error read_error(std::span<const std::uint8_t> payload) {
  auto row = base::archive_read<ErrorRow>(payload);
  if (!row || row->code > ErrorCode::Internal)
    return {.code = ErrorCode::Compile, .message = "the compiler reported an error that cannot be read", .file = {}};
  return {.code = row->code,
          .message = row->message,
          .file = row->file,
          .byte_offset = row->byte_offset,
          .line = row->line};
}

bool counts_fuel(std::string_view settings) { return settings.find(kFuelSetting) != std::string_view::npos; }

std::string settings_text(const CompileRequest& request) {
  std::string text =
      fmt::format("O{},{}", request.opt_level, request.bounds == BoundsMode::Guard ? "guard" : "explicit");
  if (request.deterministic_simd) text += ",deterministic-simd";
  if (request.canonical_nans) text += ",canonical-nans";
  if (request.fuel) text += kFuelSetting;
  if (request.linkable) text += ",linkable";
  auto features = wasm::Features::from_bits(request.features);
  if (std::string changes = features ? features->changes() : "?"; !changes.empty()) text += "," + changes;
  return text;
}

} // namespace cusp::artifact
