#include "cli/terminal.h"

#include <charconv>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <span>
#include <unistd.h>

#include <fmt/format.h>

namespace cusp::cli {

using base::ErrorCode;

bool stdout_is_terminal() {
  static const bool value = isatty(STDOUT_FILENO) != 0;
  return value;
}

bool stderr_is_terminal() {
  static const bool value = isatty(STDERR_FILENO) != 0;
  return value;
}

void print_error(std::string_view message, std::string_view hint) {
  const char* red = stderr_is_terminal() ? "\033[1;31m" : "";
  const char* plain = stderr_is_terminal() ? "\033[0m" : "";
  fmt::print(stderr, "{}error:{} {}\n", red, plain, message);
  if (!hint.empty()) fmt::print(stderr, "  {}\n", hint);
}

void print_error(const base::Error& error, std::string_view hint) { print_error(error.to_string(), hint); }

ProgressLine::ProgressLine(std::string label) : label_(std::move(label)) {}

ProgressLine::~ProgressLine() {
  if (shown_) fmt::print(stderr, "\r\033[K");
}

void ProgressLine::update(std::uint32_t done, std::uint32_t total) {
  if (!stderr_is_terminal() || total == 0) return;
  auto now = std::chrono::steady_clock::now().time_since_epoch();
  std::int64_t now_ns = std::chrono::duration_cast<std::chrono::nanoseconds>(now).count();
  if (done < total && now_ns - last_drawn_ns_ < 50'000'000) return;
  last_drawn_ns_ = now_ns;
  shown_ = true;
  constexpr unsigned kWidth = 30;
  unsigned filled = static_cast<unsigned>(std::uint64_t{done} * kWidth / total);
  fmt::print(stderr, "\r\033[Kcompiling {} [{:#<{}}{:.<{}}] {}/{} functions", label_, "", filled, "", kWidth - filled,
             done, total);
  std::fflush(stderr);
}

namespace {
struct Suffix {
  std::string_view text;
  double factor;
};

base::Result<std::uint64_t> parse_scaled(std::string_view text, std::string_view what, std::span<const Suffix> suffixes,
                                         std::string_view example) {
  double number = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  std::string_view suffix(end, static_cast<std::size_t>(text.data() + text.size() - end));
  if (error == std::errc() && number >= 0) {
    for (const Suffix& known : suffixes)
      if (suffix.size() == known.text.size() && std::equal(suffix.begin(), suffix.end(), known.text.begin(),
                                                           [](char a, char b) { return (a | 0x20) == b; })) {
        double value = number * known.factor;
        if (value < 9e18) return static_cast<std::uint64_t>(std::llround(value));
      }
  }
  return base::fail(ErrorCode::InvalidArgument,
                    fmt::format("'{}' is not a {}; write for example {}", text, what, example));
}
} // namespace

base::Result<std::uint64_t> parse_size(std::string_view text) {
  static constexpr double k = 1024, m = k * k, g = m * k;
  static constexpr Suffix kSuffixes[] = {{"", 1},   {"b", 1},   {"k", k}, {"kb", k}, {"kib", k}, {"m", m},
                                         {"mb", m}, {"mib", m}, {"g", g}, {"gb", g}, {"gib", g}};
  return parse_scaled(text, "size", kSuffixes, "64MiB");
}

base::Result<std::uint64_t> parse_duration(std::string_view text) {
  static constexpr Suffix kSuffixes[] = {{"", 1e9}, {"s", 1e9},  {"ms", 1e6},   {"us", 1e3},
                                         {"ns", 1}, {"m", 60e9}, {"min", 60e9}, {"h", 3600e9}};
  return parse_scaled(text, "duration", kSuffixes, "2s or 500ms");
}

} // namespace cusp::cli
