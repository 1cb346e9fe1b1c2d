#include "wasi/filesystem/file_stream.h"

#include <fmt/format.h>
#include <sys/uio.h>

#include "wasi/filesystem/beneath.h"

namespace cusp::wasi {

namespace {

ssize_t read_at(int fd, std::span<std::uint8_t> into, std::uint64_t offset, int flags) {
  iovec part{into.data(), into.size()};
  for (;;) {
    ssize_t got = preadv2(fd, &part, 1, static_cast<off_t>(offset), flags);
    if (got >= 0 || errno != EINTR) return got;
  }
}

FileResult<std::size_t> write_at(int fd, std::span<const std::uint8_t> bytes, std::uint64_t offset) {
  iovec part{const_cast<std::uint8_t*>(bytes.data()), bytes.size()};
  for (;;) {
    ssize_t done = offset == kAppend ? pwritev2(fd, &part, 1, 0, RWF_APPEND)
                                     : pwritev2(fd, &part, 1, static_cast<off_t>(offset), 0);
    if (done >= 0) return static_cast<std::size_t>(done);
    if (errno != EINTR) return last_error();
  }
}

StreamFailure failure(std::string_view operation, FileError code) {
  return StreamFailure{std::make_unique<IoError>(fmt::format("{} failed: {}", operation, file_error_name(code)), code)};
}

} // namespace

FileResult<std::size_t> read_file(const std::shared_ptr<const OpenFile>& file, std::span<std::uint8_t> into,
                                  std::uint64_t offset, IoMode mode) {
  if (offset >> 63) return std::unexpected(FileError::Invalid);
  int fd = file->fd.get();
  ssize_t got = mode == IoMode::Direct ? read_at(fd, into, offset, 0) : read_at(fd, into, offset, RWF_NOWAIT);
  if (got >= 0) return static_cast<std::size_t>(got);
  if (mode == IoMode::Direct || (errno != EAGAIN && errno != EOPNOTSUPP)) return last_error();
  return run_blocking(mode, [&]() -> FileResult<std::size_t> {
    ssize_t count = read_at(fd, into, offset, 0);
    if (count < 0) return last_error();
    return static_cast<std::size_t>(count);
  });
}

FileResult<std::size_t> write_file(const std::shared_ptr<const OpenFile>& file, std::span<const std::uint8_t> bytes,
                                   std::uint64_t offset, IoMode mode) {
  if (offset != kAppend && offset >> 63) return std::unexpected(FileError::Invalid);
  int fd = file->fd.get();
  if (mode == IoMode::Direct && bytes.size() <= 4096) {
    // The kernel never sees guest memory: a page whose first write is still to be noticed would fail there.
    std::uint8_t copy[4096];
    std::copy(bytes.begin(), bytes.end(), copy);
    return write_at(fd, std::span<const std::uint8_t>(copy, bytes.size()), offset);
  }
  std::vector<std::uint8_t> copy(bytes.begin(), bytes.end());
  return run_blocking(mode, [&] { return write_at(fd, copy, offset); });
}

StreamResult<std::span<const std::uint8_t>> FileSource::peek(std::size_t limit) {
  if (at_ == filled_) {
    buffer_.resize(std::clamp<std::size_t>(limit, 1, kStreamChunk));
    auto got = read_file(file_, buffer_, offset_, mode_);
    if (!got) return std::unexpected(failure("reading a file", got.error()));
    if (*got == 0) return stream_closed();
    at_ = 0;
    filled_ = *got;
    offset_ += *got;
  }
  return std::span<const std::uint8_t>(buffer_).subspan(at_, std::min(limit, filled_ - at_));
}

StreamResult<void> FileSink::write(std::span<const std::uint8_t> bytes) {
  while (!bytes.empty()) {
    auto done = write_file(file_, bytes, offset_, mode_);
    if (!done) return std::unexpected(failure("writing a file", done.error()));
    if (offset_ != kAppend) offset_ += *done;
    bytes = bytes.subspan(*done);
  }
  return {};
}

} // namespace cusp::wasi
