#include "app/guest_log.h"

#include <algorithm>
#include <ctime>

#include <fmt/format.h>

namespace cusp::app {

namespace {
constexpr std::size_t kMaxLine = 8 * 1024; // a longer line is cut in parts
}

std::string_view log_time() {
  static thread_local std::time_t made_at = 0;
  static thread_local char text[40];
  timespec now{};
  clock_gettime(CLOCK_REALTIME_COARSE, &now);
  if (now.tv_sec != made_at) {
    made_at = now.tv_sec;
    std::tm parts{};
    gmtime_r(&made_at, &parts);
    std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S.000Z", &parts);
  }
  auto milliseconds = static_cast<int>(now.tv_nsec / 1'000'000);
  text[20] = static_cast<char>('0' + milliseconds / 100);
  text[21] = static_cast<char>('0' + milliseconds / 10 % 10);
  text[22] = static_cast<char>('0' + milliseconds % 10);
  return {text, 24};
}

LineSink::~LineSink() {
  if (!partial_.empty()) emit(partial_);
}

void LineSink::emit(std::string_view line) {
  std::string_view name = stream_ == observe::LogStream::Out ? "stdout" : "stderr";
  std::string text;
  if (format_ == LogFormat::Json) {
    text = fmt::format("{{\"time\":\"{}\",\"instance\":{},\"stream\":\"{}\",\"line\":\"", log_time(), instance_, name);
    observe::append_json(text, line);
    text += "\"}";
  } else {
    text = fmt::format("{} [{}] :: {}", name, instance_, line);
  }
  log_.line(stream_, text);
}

wasi::StreamResult<void> LineSink::write(std::span<const std::uint8_t> bytes) {
  std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  while (!text.empty()) {
    std::size_t end = text.find('\n'), size = std::min({end, text.size(), kMaxLine - partial_.size()});
    bool at_end = size == end;
    partial_ += text.substr(0, size);
    text.remove_prefix(size + (at_end ? 1 : 0));
    if (!at_end && partial_.size() < kMaxLine) continue;
    emit(partial_);
    partial_.clear();
  }
  return {};
}

const wasi::Ref<wasi::OutputSink>& GuestStdio::sink(wasi::Ref<wasi::OutputSink>& sink, observe::LogStream stream) {
  if (!sink) sink = wasi::Ref<wasi::OutputSink>(new LineSink(log_, stream, format_, instance_));
  return sink;
}

} // namespace cusp::app
