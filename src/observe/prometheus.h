// Prometheus' text format, version 0.0.4: https://prometheus.io/docs/instrumenting/exposition_formats/
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "observe/metrics.h"

namespace cusp::observe {

class PrometheusText {
public:
  void counter(std::string_view name, std::string_view help, std::uint64_t value) {
    number(name, help, "counter", value);
  }
  void gauge(std::string_view name, std::string_view help, std::uint64_t value) { number(name, help, "gauge", value); }
  // In seconds; the parts are added up.
  void histogram(std::string_view name, std::string_view help, std::span<const Histogram* const> parts);
  // One counter in several rows, told apart by a label: begin, then a row each.
  void family(std::string_view name, std::string_view help, std::string_view type);
  void row(std::string_view name, std::string_view label, std::string_view value, std::uint64_t number);
  const std::string& text() const { return text_; }

private:
  void number(std::string_view name, std::string_view help, std::string_view type, std::uint64_t value);
  std::string text_;
};

} // namespace cusp::observe
