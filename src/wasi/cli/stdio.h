// The process's own standard streams as a guest's: for commands, where the guest stands for the process.
#pragma once

#include "wasi/context.h"

namespace cusp::wasi {

// Descriptors that other processes may share are never made non-blocking: they are asked (poll) before every read and write. One that cannot be
// watched (a regular file) is always ready.
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

class FdSink final : public OutputSink {
public:
  explicit FdSink(int fd);
  ~FdSink() override;
  bool ready() override;
  loop::Event* event() override { return watched_ ? &writable_ : nullptr; }
  StreamResult<std::uint64_t> check_write() override;
  StreamResult<void> write(std::span<const std::uint8_t> bytes) override;
  StreamResult<void> flush() override { return {}; }

private:
  bool has_room();
  StreamResult<void> write_part(std::span<const std::uint8_t> bytes);
  void wait_for_room();
  int fd_;
  bool watched_ = false, closed_ = false;
  loop::Event readable_, writable_;
};

class ProcessStdio final : public Stdio {
public:
  Ref<InputSource> stdin_source() override;
  Ref<OutputSink> stdout_sink() override;
  Ref<OutputSink> stderr_sink() override;
  bool is_terminal(int fd) const override;

private:
  // One of each for all handles: they share what is buffered, and a descriptor is watched once.
  Ref<InputSource> stdin_;
  Ref<OutputSink> stdout_, stderr_;
};

} // namespace cusp::wasi
