// The process's own standard streams as a guest's: for commands, where the guest stands for the process.
#pragma once

#include "wasi/context.h"

namespace cusp::wasi {

// Reads a descriptor that other processes may share, so it is never made non-blocking: it is asked (poll) before every read.
class FdSource final : public InputSource {
public:
  explicit FdSource(int fd);
  ~FdSource() override;
  bool ready() override;
  loop::Event* event() override { return watched_ ? &readable_ : nullptr; }
  StreamResult<std::span<const std::uint8_t>> peek(std::size_t limit) override;
  void consume(std::size_t count) override { at_ += count; }

private:
  bool has_input();
  int fd_;
  bool watched_ = false, ended_ = false;
  loop::Event readable_, writable_;
  std::vector<std::uint8_t> buffer_;
  std::size_t at_ = 0, filled_ = 0;
};

// Writes a descriptor at once, waiting for it.
class FdSink final : public OutputSink {
public:
  explicit FdSink(int fd) : fd_(fd) {}
  bool ready() override { return true; }
  StreamResult<std::uint64_t> check_write() override;
  StreamResult<void> write(std::span<const std::uint8_t> bytes) override;
  StreamResult<void> flush() override { return {}; }

private:
  int fd_;
  bool closed_ = false;
};

class ProcessStdio final : public Stdio {
public:
  Ref<InputSource> stdin_source() override;
  Ref<OutputSink> stdout_sink() override { return Ref<OutputSink>(new FdSink(1)); }
  Ref<OutputSink> stderr_sink() override { return Ref<OutputSink>(new FdSink(2)); }
  bool is_terminal(int fd) const override;

private:
  Ref<InputSource> stdin_; // one for all handles: they share what is buffered
};

} // namespace cusp::wasi
