// Numbers that one thread writes and any thread reads: no locks, no contended cache lines; a reader sees each number whole. What runs on a
// request counts into its worker's own set; the page (prometheus.h) adds them up when somebody asks.
#pragma once

#include <array>
#include <atomic>
#include <bit>
#include <cstdint>

namespace cusp::observe {

class Counter {
public:
  void add(std::uint64_t count = 1) {
    value_.store(value_.load(std::memory_order_relaxed) + count, std::memory_order_relaxed);
  }
  std::uint64_t value() const { return value_.load(std::memory_order_relaxed); }

private:
  std::atomic<std::uint64_t> value_{0};
};

class Gauge {
public:
  void set(std::uint64_t value) { value_.store(value, std::memory_order_relaxed); }
  std::uint64_t value() const { return value_.load(std::memory_order_relaxed); }

private:
  std::atomic<std::uint64_t> value_{0};
};

// Durations in buckets that double: 250 ns, 500 ns, 1 µs … 67 s, and what is longer.
class Histogram {
public:
  static constexpr std::size_t kBounds = 29;
  static constexpr std::uint64_t bound_ns(std::size_t bucket) { return std::uint64_t{250} << bucket; }

  void record(std::uint64_t ns) {
    auto bucket = static_cast<std::size_t>(std::bit_width(ns == 0 ? 0 : (ns - 1) / 250));
    Counter& counter = buckets_[bucket < kBounds ? bucket : kBounds];
    counter.add();
    sum_ns_.add(ns);
  }
  std::uint64_t bucket(std::size_t index) const { return buckets_[index].value(); } // index kBounds: longer
  std::uint64_t sum_ns() const { return sum_ns_.value(); }

private:
  std::array<Counter, kBounds + 1> buckets_;
  Counter sum_ns_;
};

} // namespace cusp::observe
