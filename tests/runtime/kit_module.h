// The guest of these tests: one core module, written as bytes, whose functions do one thing each that a runtime must bear. Its only
// import is (i32) -> i32, what the host does in the middle of guest code.
#pragma once

#include <array>
#include <bit>
#include <cstdint>

#include "lower/module_bytes.h"

namespace cusp::test {

// By FuncIndex.
enum class Kit : std::uint32_t {
  Host,        // imported
  Poke,        // (address, value)             i32.store
  Peek,        // (address) -> i32
  Stride,      // (address, count, step, value) stores value, value + 1 … every `step` bytes
  Grow,        // (pages) -> i32
  Size,        // () -> i32
  Spin,        // for ever
  Churn,       // (rounds, seed) -> v128       vector registers hold all its state
  Recurse,     // (n) -> n
  Dive,        // (n) -> n + host(0) at the bottom
  DiveForever, // (n)                          calls the host at every level
  CallHost,    // (x) -> host(x)
  HostLoop,    // (n) -> sum of host(i)
  Unreachable, // ()
  Divide,      // (x) -> 1 / x
  CallTable,   // (i) -> i32
  TableCopy,   // (to, from)                   one element
  TableNull,   // (i)
  TableGrow,   // (n) -> i32
  TableSize,   // () -> i32
  IsNull,      // (i) -> i32
  GlobalSet,   // (i32, i64)
  VectorSet,   // (i32)                        splat into the v128 global
  MemoryInit,  // (d, s, n)
  DataDrop,    // ()
  TableInit,   // (d, s, n)
  ElemDrop,    // ()
  MemoryFill,  // (d, value, n)
  MemoryCopy,  // (d, s, n)
  Leaf,        // () -> 41                     in the table
  OtherLeaf,   // () -> 42                     in the table
  Empty,       // ()
  FillForever, // (n)                          memory.fill of n bytes, again and again
  CopyForever, // (n)                          memory.copy of n bytes to 1, again and again
};

struct KitShape {
  static constexpr std::uint32_t kMinPages = 3, kMaxPages = 64, kTableMin = 10, kTableMax = 100'000;
  static constexpr std::int32_t kDataAt = 0x1100, kDataSize = 10'000; // neither end on a page's border
  static constexpr std::int32_t kElemAt = 2;
  static constexpr std::uint32_t kPassiveSize = 300;
};

class KitModule {
public:
  static Bytes bytes() { return KitModule().module_.bytes(); }
  static std::uint8_t data_byte(std::uint32_t i) { return static_cast<std::uint8_t>(i * 7 + i / 256 + 1); }
  // What Churn computes.
  static std::array<std::uint32_t, 4> churn(std::uint32_t rounds, std::uint32_t seed);

private:
  static constexpr std::array<std::int32_t, 3> kMultiplier{1664525, 22695477, 1103515245},
      kAddend{1013904223, 1, 12345};
  static constexpr std::array<std::uint32_t, 3> kFactor{0x3f7ff972, 0x3f7fbe77, 0x3f7d70a4}; // 0.9999, 0.999, 0.99
  static constexpr std::array<std::uint32_t, 3> kTerm{0x3fc00000, 0x40200000, 0xbf400000};   // 1.5, 2.5, -0.75

  KitModule() {
    const std::uint32_t i_i = module_.type({kI32}, {kI32});
    module_.import_func(i_i);
    memory_functions();
    running_functions();
    table_functions();
    bulk_functions();
    module_.memory(KitShape::kMinPages, KitShape::kMaxPages);
    module_.table(KitShape::kTableMin, KitShape::kTableMax);
    module_.global(kI32, true, {0x41, 7});
    module_.global(kI64, true, {0x42, 9});
    Bytes vector{0xfd, 12};
    for (std::uint8_t i = 0; i < 16; ++i) vector.push_back(i);
    module_.global(kV128, true, vector);
    Bytes data, passive;
    for (std::uint32_t i = 0; i < KitShape::kDataSize; ++i) data.push_back(data_byte(i));
    for (std::uint32_t i = 0; i < KitShape::kPassiveSize; ++i) passive.push_back(static_cast<std::uint8_t>(255 - i));
    module_.data(KitShape::kDataAt, data);
    module_.data(std::nullopt, passive);
    const auto leaf = static_cast<std::uint32_t>(Kit::Leaf), other = static_cast<std::uint32_t>(Kit::OtherLeaf);
    module_.elem(KitShape::kElemAt, {leaf, other});
    module_.elem(std::nullopt, {other, leaf, other});
  }

  void func(Kit which, const Bytes& params, const Bytes& results, const Bytes& code, const Bytes& locals = {}) {
    if (module_.func(module_.type(params, results), code, locals) != static_cast<std::uint32_t>(which))
      __builtin_trap();
  }
  static std::uint8_t index(Kit which) { return static_cast<std::uint8_t>(which); }

  void memory_functions() {
    func(Kit::Poke, {kI32, kI32}, {}, {0x20, 0, 0x20, 1, 0x36, 0, 0});
    func(Kit::Peek, {kI32}, {kI32}, {0x20, 0, 0x28, 0, 0});
    func(Kit::Stride, {kI32, kI32, kI32, kI32}, {}, {0x02, 0x40, 0x03, 0x40,                         // block loop
                                                     0x20, 1,    0x45, 0x0d, 1,                      // until count is 0
                                                     0x20, 0,    0x20, 3,    0x36, 0,    0,          // store
                                                     0x20, 0,    0x20, 2,    0x6a, 0x21, 0,          // address += step
                                                     0x20, 3,    0x41, 1,    0x6a, 0x21, 3,          // ++value
                                                     0x20, 1,    0x41, 1,    0x6b, 0x21, 1, 0x0c, 0, // --count
                                                     0x0b, 0x0b});
    func(Kit::Grow, {kI32}, {kI32}, {0x20, 0, 0x40, 0});
    func(Kit::Size, {}, {kI32}, {0x3f, 0});
  }

  void running_functions() {
    func(Kit::Spin, {}, {}, {0x03, 0x40, 0x0c, 0, 0x0b});
    func(Kit::Churn, {kI32, kI32}, {kV128}, churn_code(), Bytes(6, kV128));
    const std::uint8_t recurse = index(Kit::Recurse), dive = index(Kit::Dive), forever = index(Kit::DiveForever);
    func(Kit::Recurse, {kI32}, {kI32},
         {0x20, 0, 0x45, 0x04, kI32, 0x41, 0, 0x05, 0x20, 0, 0x41, 1, 0x6b, 0x10, recurse, 0x41, 1, 0x6a, 0x0b});
    func(Kit::Dive, {kI32}, {kI32},
         {0x20, 0, 0x45, 0x04, kI32, 0x41, 0, 0x10, 0, 0x05, 0x20, 0, 0x41, 1, 0x6b, 0x10, dive, 0x41, 1, 0x6a, 0x0b});
    func(Kit::DiveForever, {kI32}, {}, {0x20, 0, 0x10, 0, 0x1a, 0x20, 0, 0x41, 1, 0x6a, 0x10, forever});
    func(Kit::CallHost, {kI32}, {kI32}, {0x20, 0, 0x10, 0});
    func(Kit::HostLoop, {kI32}, {kI32}, {0x02, 0x40, 0x03, 0x40, 0x20, 0,    0x45, 0x0d, 1, // until n is 0
                                         0x20, 1,    0x20, 0,    0x10, 0,    0x6a, 0x21, 1,
                                         0x20, 0,    0x41, 1,    0x6b, 0x21, 0,    0x0c, 0, // sum += host(n), --n
                                         0x0b, 0x0b, 0x20, 1},
         {kI32});
    func(Kit::Unreachable, {}, {}, {0x00});
    func(Kit::Divide, {kI32}, {kI32}, {0x41, 1, 0x20, 0, 0x6d});
  }

  // Three accumulators of integers and three of floats, so many that they stay in vector registers.
  static Bytes churn_code() {
    Bytes code;
    auto local = [&](std::uint8_t op, std::size_t i) { append(code, {op, static_cast<std::uint8_t>(2 + i)}); };
    auto splat = [&](std::int64_t value, bool is_float) {
      if (is_float) {
        code.push_back(0x43);
        for (int byte = 0; byte < 4; ++byte) code.push_back(static_cast<std::uint8_t>(value >> (8 * byte)));
        append(code, {0xfd, 0x13});
      } else {
        code.push_back(0x41), append(code, sleb(value)), append(code, {0xfd, 0x11});
      }
    };
    for (std::size_t i = 0; i < 3; ++i) append(code, {0x20, 1, 0xfd, 0x11}), local(0x21, i);
    append(code, {0x02, 0x40, 0x03, 0x40, 0x20, 0, 0x45, 0x0d, 1});
    for (std::size_t i = 0; i < 6; ++i) {
      const bool is_float = i >= 3;
      local(0x20, i);
      splat(is_float ? kFactor[i - 3] : kMultiplier[i], is_float);
      append(code, {0xfd, static_cast<std::uint8_t>(is_float ? 0xe6 : 0xb5), 1}); // mul
      splat(is_float ? kTerm[i - 3] : kAddend[i], is_float);
      append(code, {0xfd, static_cast<std::uint8_t>(is_float ? 0xe4 : 0xae), 1}); // add
      local(0x21, i);
    }
    append(code, {0x20, 0, 0x41, 1, 0x6b, 0x21, 0, 0x0c, 0, 0x0b, 0x0b});
    local(0x20, 0);
    for (std::size_t i = 1; i < 6; ++i) local(0x20, i), append(code, {0xfd, 0x51}); // xor
    return code;
  }

  void table_functions() {
    const auto none_i = static_cast<std::uint8_t>(module_.type({}, {kI32}));
    func(Kit::CallTable, {kI32}, {kI32}, {0x20, 0, 0x11, none_i, 0});
    func(Kit::TableCopy, {kI32, kI32}, {}, {0x20, 0, 0x20, 1, 0x25, 0, 0x26, 0});
    func(Kit::TableNull, {kI32}, {}, {0x20, 0, 0xd0, kFuncref, 0x26, 0});
    func(Kit::TableGrow, {kI32}, {kI32}, {0xd0, kFuncref, 0x20, 0, 0xfc, 15, 0});
    func(Kit::TableSize, {}, {kI32}, {0xfc, 16, 0});
    func(Kit::IsNull, {kI32}, {kI32}, {0x20, 0, 0x25, 0, 0xd1});
    func(Kit::GlobalSet, {kI32, kI64}, {}, {0x20, 0, 0x24, 0, 0x20, 1, 0x24, 1});
    func(Kit::VectorSet, {kI32}, {}, {0x20, 0, 0xfd, 0x11, 0x24, 2});
  }

  void bulk_functions() {
    const Bytes three{kI32, kI32, kI32};
    func(Kit::MemoryInit, three, {}, {0x20, 0, 0x20, 1, 0x20, 2, 0xfc, 8, 1, 0});
    func(Kit::DataDrop, {}, {}, {0xfc, 9, 1});
    func(Kit::TableInit, three, {}, {0x20, 0, 0x20, 1, 0x20, 2, 0xfc, 12, 1, 0});
    func(Kit::ElemDrop, {}, {}, {0xfc, 13, 1});
    func(Kit::MemoryFill, three, {}, {0x20, 0, 0x20, 1, 0x20, 2, 0xfc, 11, 0});
    func(Kit::MemoryCopy, three, {}, {0x20, 0, 0x20, 1, 0x20, 2, 0xfc, 10, 0, 0});
    func(Kit::Leaf, {}, {kI32}, {0x41, 41});
    func(Kit::OtherLeaf, {}, {kI32}, {0x41, 42});
    func(Kit::Empty, {}, {}, {});
    func(Kit::FillForever, {kI32}, {}, {0x03, 0x40, 0x41, 0, 0x41, 1, 0x20, 0, 0xfc, 11, 0, 0x0c, 0, 0x0b});
    func(Kit::CopyForever, {kI32}, {}, {0x03, 0x40, 0x41, 1, 0x41, 0, 0x20, 0, 0xfc, 10, 0, 0, 0x0c, 0, 0x0b});
  }

  ModuleBytes module_;
};

inline std::array<std::uint32_t, 4> KitModule::churn(std::uint32_t rounds, std::uint32_t seed) {
  std::uint32_t integers[3] = {seed, seed, seed};
  float floats[3] = {};
  for (std::uint32_t round = 0; round < rounds; ++round)
    for (std::size_t i = 0; i < 3; ++i) {
      integers[i] = integers[i] * static_cast<std::uint32_t>(kMultiplier[i]) + static_cast<std::uint32_t>(kAddend[i]);
      const float product = floats[i] * std::bit_cast<float>(kFactor[i]);
      floats[i] = product + std::bit_cast<float>(kTerm[i]);
    }
  std::uint32_t all = 0;
  for (std::size_t i = 0; i < 3; ++i) all ^= integers[i] ^ std::bit_cast<std::uint32_t>(floats[i]);
  return {all, all, all, all};
}

} // namespace cusp::test
