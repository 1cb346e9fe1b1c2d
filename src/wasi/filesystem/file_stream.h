// Streams over open files. A file is always ready; what is not in the page cache is read on the blocking pool.
#pragma once

#include "wasi/filesystem/descriptor.h"

namespace cusp::wasi {

inline constexpr std::size_t kMaxFileRead = 1 << 20;        // of one read or write call
inline constexpr std::uint64_t kAppend = ~std::uint64_t{0}; // in place of an offset: at the end, wherever that is

FileResult<std::size_t> read_file(const std::shared_ptr<const OpenFile>& file, std::span<std::uint8_t> into,
                                  std::uint64_t offset, IoMode mode);
// Writes at least one byte of a non-empty span. The bytes may be guest memory: they are copied before anything suspends.
FileResult<std::size_t> write_file(const std::shared_ptr<const OpenFile>& file, std::span<const std::uint8_t> bytes,
                                   std::uint64_t offset, IoMode mode);

class FileSource final : public InputSource {
public:
  FileSource(std::shared_ptr<const OpenFile> file, std::uint64_t offset, IoMode mode)
      : file_(std::move(file)), offset_(offset), mode_(mode) {}
  bool ready() override { return true; }
  StreamResult<std::span<const std::uint8_t>> peek(std::size_t limit) override;
  void consume(std::size_t count) override { at_ += count; }

private:
  std::shared_ptr<const OpenFile> file_;
  std::uint64_t offset_; // of the byte behind the buffer
  IoMode mode_;
  std::vector<std::uint8_t> buffer_;
  std::size_t at_ = 0, filled_ = 0;
};

class FileSink final : public OutputSink {
public:
  FileSink(std::shared_ptr<const OpenFile> file, std::uint64_t offset, IoMode mode)
      : file_(std::move(file)), offset_(offset), mode_(mode) {}
  bool ready() override { return true; }
  StreamResult<std::uint64_t> check_write() override { return kStreamChunk; }
  StreamResult<void> write(std::span<const std::uint8_t> bytes) override;
  StreamResult<void> flush() override { return {}; }

private:
  std::shared_ptr<const OpenFile> file_;
  std::uint64_t offset_;
  IoMode mode_;
};

} // namespace cusp::wasi
