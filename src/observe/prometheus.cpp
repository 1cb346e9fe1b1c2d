#include "observe/prometheus.h"

#include <iterator>

#include <fmt/format.h>

namespace cusp::observe {

void PrometheusText::family(std::string_view name, std::string_view help, std::string_view type) {
  fmt::format_to(std::back_inserter(text_), "# HELP {0} {1}\n# TYPE {0} {2}\n", name, help, type);
}

void PrometheusText::row(std::string_view name, std::string_view label, std::string_view value, std::uint64_t number) {
  std::string escaped;
  for (char c : value) {
    if (c == '\n') escaped += "\\n";
    else if (c == '"' || c == '\\') escaped.append(1, '\\').append(1, c);
    else escaped += c;
  }
  fmt::format_to(std::back_inserter(text_), "{}{{{}=\"{}\"}} {}\n", name, label, escaped, number);
}

void PrometheusText::number(std::string_view name, std::string_view help, std::string_view type, std::uint64_t value) {
  family(name, help, type);
  fmt::format_to(std::back_inserter(text_), "{} {}\n", name, value);
}

void PrometheusText::histogram(std::string_view name, std::string_view help, std::span<const Histogram* const> parts) {
  family(name, help, "histogram");
  std::uint64_t count = 0, sum = 0;
  for (std::size_t bucket = 0; bucket <= Histogram::kBounds; ++bucket) {
    for (const Histogram* part : parts) count += part->bucket(bucket);
    if (bucket < Histogram::kBounds)
      fmt::format_to(std::back_inserter(text_), "{}_bucket{{le=\"{}\"}} {}\n", name,
                     static_cast<double>(Histogram::bound_ns(bucket)) / 1e9, count);
    else fmt::format_to(std::back_inserter(text_), "{}_bucket{{le=\"+Inf\"}} {}\n", name, count);
  }
  for (const Histogram* part : parts) sum += part->sum_ns();
  fmt::format_to(std::back_inserter(text_), "{}_sum {}\n{}_count {}\n", name, static_cast<double>(sum) / 1e9, name,
                 count);
}

} // namespace cusp::observe
