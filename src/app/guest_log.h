// A served guest's standard streams: lines in the log, marked with the instance they come from. Private to app/.
#pragma once

#include <string>

#include "app/serve.h"
#include "observe/log_writer.h"
#include "wasi/context.h"

namespace cusp::app {

class LineSink final : public wasi::OutputSink {
public:
  LineSink(observe::LogBuffer& log, observe::LogStream stream, LogFormat format, std::uint64_t instance)
      : log_(log), stream_(stream), format_(format), instance_(instance) {}
  ~LineSink() override;
  bool ready() override { return true; }
  wasi::StreamResult<std::uint64_t> check_write() override { return wasi::kStreamChunk; }
  wasi::StreamResult<void> write(std::span<const std::uint8_t> bytes) override;
  wasi::StreamResult<void> flush() override { return {}; }

private:
  void emit(std::string_view line);
  observe::LogBuffer& log_;
  observe::LogStream stream_;
  LogFormat format_;
  std::uint64_t instance_;
  std::string partial_;
};

class GuestStdio final : public wasi::Stdio {
public:
  GuestStdio(observe::LogBuffer& log, LogFormat format, std::uint64_t instance)
      : log_(log), format_(format), instance_(instance) {}
  wasi::Ref<wasi::OutputSink> stdout_sink() override { return sink(out_, observe::LogStream::Out); }
  wasi::Ref<wasi::OutputSink> stderr_sink() override { return sink(err_, observe::LogStream::Err); }

private:
  const wasi::Ref<wasi::OutputSink>& sink(wasi::Ref<wasi::OutputSink>& sink, observe::LogStream stream);
  observe::LogBuffer& log_;
  LogFormat format_;
  std::uint64_t instance_;
  wasi::Ref<wasi::OutputSink> out_, err_;
};

// The current time as "2026-11-23T18:04:50.123Z".
std::string_view log_time();

} // namespace cusp::app
