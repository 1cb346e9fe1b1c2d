#include "generator.h"

#include <array>
#include <bit>
#include <iterator>
#include <random>
#include <string>
#include <string_view>

#include "lower/module_bytes.h"
#include "wasm/operators.h"

namespace cusp::fuzz {
namespace {

using test::append, test::Bytes, test::leb, test::sleb;
using test::kF32, test::kF64, test::kI32, test::kI64, test::kV128;

constexpr std::array<std::uint8_t, 5> kTypes{kI32, kI64, kF32, kF64, kV128};
constexpr std::uint32_t kPages = 2, kMaxPages = 3, kGlobalsPerType = 2, kLocalsPerType = 3;
constexpr std::uint32_t kTableLength = 8;

// What follows an operator in the body. Rows with an immediate that is not here are written by hand below.
enum class Immediate { None, Memory, Lane, MemoryLane, Shuffle, Other };

struct Row {
  std::uint32_t encoding;
  std::string_view text;
  wasm::Signature signature;
  wasm::Feature feature;
  Immediate immediate;
  std::uint8_t size; // of the access, or the number of lanes
};

constexpr Immediate immediate_kind(std::string_view name) {
  if (name == "NoImm") return Immediate::None;
  if (name == "ShuffleImm") return Immediate::Shuffle;
  if (name.starts_with("Lane")) return Immediate::Lane;
  if (!name.starts_with("Mem") || name.starts_with("Memory")) return Immediate::Other;
  return name.ends_with("Lane") ? Immediate::MemoryLane : Immediate::Memory;
}

constexpr std::uint8_t digits_of(std::string_view name) {
  unsigned value = 0;
  for (char c : name)
    if (c >= '0' && c <= '9') value = value * 10 + static_cast<unsigned>(c - '0');
  return static_cast<std::uint8_t>(value);
}

constexpr Row kRows[] = {
#define OP(encoding, Name, text, immediate, signature, feature, lowering)                                              \
  {encoding,                                                                                                           \
   text,                                                                                                               \
   wasm::parse_signature(#signature),                                                                                  \
   wasm::Feature::feature,                                                                                             \
   immediate_kind(#immediate),                                                                                         \
   digits_of(#immediate)},
#include "wasm/operators.def"
};

constexpr std::uint8_t kAddressType = static_cast<std::uint8_t>(wasm::ValType::bottom().raw());

std::uint8_t code_of(std::uint8_t raw) {
  if (raw == kAddressType) return kI32;
  constexpr std::array<wasm::ValType, 5> types{wasm::ValType::i32(), wasm::ValType::i64(), wasm::ValType::f32(),
                                               wasm::ValType::f64(), wasm::ValType::v128()};
  for (std::size_t i = 0; i < types.size(); ++i)
    if (static_cast<std::uint8_t>(types[i].raw()) == raw) return kTypes[i];
  return 0;
}

std::size_t slot_of(std::uint8_t type) { return kI32 - type; } // i32, i64, f32, f64, v128: as kTypes has them

bool wanted(const Row& row) {
  using wasm::Feature;
  const bool on = row.feature == Feature::Mvp || row.feature == Feature::Simd ||
                  row.feature == Feature::SignExtension || row.feature == Feature::SaturatingTruncation ||
                  row.feature == Feature::WideArithmetic;
  return on && !row.signature.poly && row.immediate != Immediate::Other;
}

struct Table {
  std::array<std::vector<const Row*>, 5> values; // by result
  std::vector<const Row*> stores, wide;          // no result, two results
  Table() {
    for (const Row& row : kRows) {
      if (!wanted(row)) continue;
      if (row.signature.result_count == 0) stores.push_back(&row);
      else if (row.signature.result_count == 2) wide.push_back(&row);
      else values[slot_of(code_of(row.signature.results[0]))].push_back(&row);
    }
  }
};

struct Function {
  std::uint32_t type = 0;
  Bytes params;
  std::uint8_t result = 0;
  bool cheap = true; // neither loops nor calls
};

class Generator {
public:
  explicit Generator(std::uint64_t seed) : random_(seed) {}

  Bytes module() {
    module_.memory(std::uint64_t{kPages}, std::uint64_t{kMaxPages});
    for (std::uint8_t type : kTypes)
      for (std::uint32_t i = 0; i < kGlobalsPerType; ++i) module_.global(type, true, constant(type));
    module_.global(kI32, true, {0x41, 0x00});
    module_.table(std::uint64_t{kTableLength}, std::uint64_t{kTableLength});
    const std::uint32_t count = 3 + below(5);
    for (std::uint32_t i = 0; i < count; ++i) function(i);
    digest();
    std::vector<std::uint32_t> entries;
    for (std::uint32_t i = 0; i + 1 < kTableLength; ++i) entries.push_back(below(count)); // the last stays null
    module_.elem(0, entries);
    Bytes data(64);
    for (auto& byte : data) byte = static_cast<std::uint8_t>(below(256));
    module_.data(static_cast<std::int32_t>(below(65536)), data);
    return module_.bytes();
  }

private:
  std::uint32_t below(std::uint32_t bound) {
    return std::uniform_int_distribution<std::uint32_t>(0, bound - 1)(random_);
  }
  bool one_in(std::uint32_t n) { return below(n) == 0; }
  template <class Items> const auto& pick(const Items& items) {
    return items[below(static_cast<std::uint32_t>(std::size(items)))];
  }
  std::uint64_t bits() { return std::uniform_int_distribution<std::uint64_t>()(random_); }

  // Edges first: zero, one, all ones, the extremes, powers of two and their neighbours.
  std::uint64_t interesting(unsigned width) {
    switch (below(6)) {
    case 0: return below(4);
    case 1: return ~std::uint64_t{0} - below(3);
    case 2: return (std::uint64_t{1} << (width - 1)) + below(3) - 1;
    case 3: return (std::uint64_t{1} << below(width)) + below(3) - 1;
    case 4: return below(256);
    default: return bits();
    }
  }

  template <class Float, class Bits> Bits float_bits() {
    constexpr Float values[] = {Float(0),
                                Float(-0.0),
                                Float(1),
                                Float(-1),
                                Float(0.5),
                                Float(1.5),
                                Float(2147483647),
                                Float(-2147483648.0),
                                Float(4294967296.0),
                                Float(9223372036854775808.0),
                                Float(1e-40),
                                Float(3.4e38)};
    if (one_in(6)) return static_cast<Bits>(sizeof(Float) == 4 ? 0x7fc00000u : 0x7ff8000000000000ull);
    if (one_in(8)) return static_cast<Bits>(sizeof(Float) == 4 ? 0x7f800000u : 0xfff0000000000000ull); // infinities
    Float value = pick(values);
    if (one_in(3)) value = Float(static_cast<std::int64_t>(bits() >> below(60))) / Float(1 + below(1000));
    return std::bit_cast<Bits>(value);
  }

  Bytes little_endian(std::uint64_t value, unsigned size) {
    Bytes out;
    for (unsigned i = 0; i < size; ++i) out.push_back(static_cast<std::uint8_t>(value >> (8 * i)));
    return out;
  }

  Bytes constant(std::uint8_t type) {
    Bytes out;
    switch (type) {
    case kI32: out = {0x41}, append(out, sleb(static_cast<std::int32_t>(interesting(32)))); break;
    case kI64: out = {0x42}, append(out, sleb(static_cast<std::int64_t>(interesting(64)))); break;
    case kF32: out = {0x43}, append(out, little_endian(float_bits<float, std::uint32_t>(), 4)); break;
    case kF64: out = {0x44}, append(out, little_endian(float_bits<double, std::uint64_t>(), 8)); break;
    default: {
      out = {0xfd, 0x0c};
      const std::uint32_t shape = below(3);
      for (unsigned lane = 0; lane < 4; ++lane)
        append(out, little_endian(shape == 0 ? float_bits<float, std::uint32_t>() : interesting(32), 4));
    }
    }
    return out;
  }

  void emit(const Bytes& bytes) { append(code_, bytes); }
  void emit(std::initializer_list<std::uint8_t> bytes) { code_.insert(code_.end(), bytes); }
  void emit_op(const Row& row) {
    if (row.encoding > 0xff) emit({static_cast<std::uint8_t>(row.encoding >> 16)}), emit(leb(row.encoding & 0xffff));
    else emit({static_cast<std::uint8_t>(row.encoding)});
  }

  std::uint32_t local(std::uint8_t type) {
    return first_local_ + static_cast<std::uint32_t>(slot_of(type)) * kLocalsPerType + below(kLocalsPerType);
  }
  std::uint32_t global(std::uint8_t type) {
    return static_cast<std::uint32_t>(slot_of(type)) * kGlobalsPerType + below(kGlobalsPerType);
  }

  // An address that is mostly inside the memory.
  void address() {
    value(kI32);
    if (!one_in(24)) emit({0x41}), emit(sleb(0xffff)), emit({0x71});
  }

  void memory_immediate(std::uint8_t size) {
    std::uint32_t align = 0;
    while ((2u << align) <= size && one_in(2)) ++align;
    emit(leb(align)), emit(leb(one_in(20) ? bits() >> 32 : below(512)));
  }

  // NaN payloads are open in the standard: after an operator that may make one, or read what integers left in memory,
  // x == x ? x : canonical, by lanes for vectors.
  void canonicalise(const Row& row, std::uint8_t result) {
    const bool scalar = result == kF32 || result == kF64;
    const bool lanes32 = result == kV128 && row.text.starts_with("f32x4"),
               lanes64 = result == kV128 && row.text.starts_with("f64x2");
    if (!scalar && !lanes32 && !lanes64) return;
    const std::uint32_t temporary = first_local_ + kLocalsPerType * 5 + static_cast<std::uint32_t>(slot_of(result));
    emit({0x22}), emit(leb(temporary));
    if (result == kV128) {
      emit({0xfd, 0x0c});
      for (unsigned lane = 0; lane < 4; ++lane)
        emit(little_endian(lanes32 ? 0x7fc00000u : lane % 2 == 1 ? 0x7ff80000u : 0u, 4));
    } else if (result == kF32) emit({0x43}), emit(little_endian(0x7fc00000u, 4));
    else emit({0x44}), emit(little_endian(0x7ff8000000000000ull, 8));
    for (int i = 0; i < 2; ++i) emit({0x20}), emit(leb(temporary));
    if (lanes32) emit({0xfd, 0x41, 0xfd, 0x52}); // f32x4.eq, v128.bitselect
    else if (lanes64) emit({0xfd, 0x47, 0xfd, 0x52});
    else emit({static_cast<std::uint8_t>(result == kF32 ? 0x5b : 0x61), 0x1b});
  }

  void operands(const Row& row) {
    for (unsigned i = 0; i < row.signature.param_count; ++i) {
      if (row.signature.params[i] == kAddressType) address();
      else value(code_of(row.signature.params[i]));
    }
  }

  void apply(const Row& row) {
    operands(row);
    emit_op(row);
    switch (row.immediate) {
    case Immediate::Memory: memory_immediate(row.size); break;
    case Immediate::MemoryLane:
      memory_immediate(row.size), emit({static_cast<std::uint8_t>(below(16u / row.size))});
      break;
    case Immediate::Lane: emit({static_cast<std::uint8_t>(below(row.size))}); break;
    case Immediate::Shuffle:
      for (unsigned i = 0; i < 16; ++i) emit({static_cast<std::uint8_t>(below(32))});
      break;
    default: break;
    }
    if (row.signature.result_count == 1) canonicalise(row, code_of(row.signature.results[0]));
  }

  void value(std::uint8_t type) {
    if (depth_ > 5 || budget_ < 0 || one_in(4)) return leaf(type);
    --budget_, ++depth_;
    if (one_in(12)) select(type);
    else if (one_in(16)) conditional(type);
    else if (one_in(20) && call(type)) {
    } else apply(*pick(table_.values[slot_of(type)]));
    --depth_;
  }

  void leaf(std::uint8_t type) {
    if (one_in(3)) return emit(constant(type));
    if (one_in(5)) return emit({0x23}), emit(leb(global(type)));
    emit({0x20}), emit(leb(local(type)));
  }

  void select(std::uint8_t type) { value(type), value(type), value(kI32), emit({0x1b}); }
  void conditional(std::uint8_t type) {
    value(kI32), emit({0x04, type});
    value(type), emit({0x05}), value(type), emit({0x0b});
  }

  // To a function made before, so that no call recurs; in a loop only to one that neither loops nor calls, so that work stays bounded.
  bool call(std::uint8_t type) {
    std::vector<std::uint32_t> candidates;
    for (std::uint32_t i = 0; i < functions_.size(); ++i)
      if (functions_[i].result == type && (functions_[i].cheap || (loops_ == 0 && calls_ < 2))) candidates.push_back(i);
    if (candidates.empty()) return false;
    const std::uint32_t callee = pick(candidates);
    if (!functions_[callee].cheap) ++calls_;
    cheap_ = false;
    for (std::uint8_t param : functions_[callee].params) value(param);
    emit({0x10}), emit(leb(callee));
    return true;
  }

  void statement() {
    --budget_, ++depth_;
    const std::uint8_t type = pick(kTypes);
    switch (below(depth_ > 3 ? 5 : 9)) {
    case 0:
    case 1: value(type), emit({0x21}), emit(leb(local(type))); break;
    case 2: value(type), emit({0x24}), emit(leb(global(type))); break;
    case 3: apply(*pick(table_.stores)); break;
    case 4: wide(); break;
    case 5: branch(); break;
    case 6: loop(); break;
    case 7: bulk(); break;
    default: exit_block(); break;
    }
    --depth_;
  }

  void wide() {
    const Row& row = *pick(table_.wide);
    apply(row);
    for (int i = 0; i < 2; ++i) emit({0x21}), emit(leb(local(kI64)));
  }

  void statements(std::uint32_t most) {
    for (std::uint32_t i = 1 + below(most); i > 0 && budget_ > 0; --i) statement();
  }

  void branch() {
    value(kI32), emit({0x04, 0x40});
    statements(3);
    if (one_in(2)) emit({0x05}), statements(3);
    emit({0x0b});
  }

  void exit_block() { emit({0x02, 0x40}), statements(2), value(kI32), emit({0x0d, 0x00}), statements(2), emit({0x0b}); }

  // do { … } while (--counter): the counter is a local that nothing else writes. Inside, a walk over memory by its multiple.
  void loop() {
    if (loops_ == kLoopCounters) return branch();
    cheap_ = false;
    const std::uint32_t counter = first_local_ + kLocalsPerType * 5 + 5 + loops_++;
    emit({0x41}), emit(sleb(1 + static_cast<std::int32_t>(below(loops_ == 1 && one_in(4) ? 200 : 12)))), emit({0x21}),
        emit(leb(counter));
    emit({0x03, 0x40});
    if (one_in(2)) walk(counter);
    statements(3);
    emit({0x20}), emit(leb(counter)), emit({0x41}), emit(sleb(1)), emit({0x6b, 0x22}), emit(leb(counter)),
        emit({0x0d, 0x00, 0x0b});
    --loops_;
  }

  // memory[base + counter * stride] op= …: what loop optimisers look for.
  void walk(std::uint32_t counter) {
    const std::uint32_t base = local(kI32), shift = below(4), offset = below(64);
    auto at = [&] {
      emit({0x20}), emit(leb(base));
      if (!one_in(16)) emit({0x41}), emit(sleb(0xffff)), emit({0x71});
      emit({0x20}), emit(leb(counter)), emit({0x41}), emit(sleb(static_cast<std::int32_t>(shift))), emit({0x74, 0x6a});
    };
    at(), at();
    emit({0x28, 0x02}), emit(leb(offset));
    value(kI32);
    constexpr std::array<std::uint8_t, 6> kinds{0x6a, 0x6b, 0x6c, 0x71, 0x73, 0x76};
    emit({pick(kinds), 0x36, 0x02}), emit(leb(offset));
  }

  void bulk() {
    if (one_in(8)) {
      value(kI32), emit({0x40, 0x00, 0x21}), emit(leb(local(kI32)));
    } else if (one_in(2)) {
      address(), value(kI32), value(kI32), emit({0x41}), emit(sleb(0x1ff)), emit({0x71, 0xfc, 0x0b, 0x00});
    } else {
      address(), address(), value(kI32), emit({0x41}), emit(sleb(0x1ff)), emit({0x71, 0xfc, 0x0a, 0x00, 0x00});
    }
  }

  void function(std::uint32_t index) {
    Function made;
    const bool exported = index % 2 == 0;
    for (std::uint32_t i = below(4); i > 0; --i) made.params.push_back(kTypes[below(exported ? 4 : 5)]);
    made.result = kTypes[below(exported ? 4 : 5)];
    made.type = module_.type(made.params, {made.result});

    code_.clear(), depth_ = 0, budget_ = 60 + static_cast<int>(below(200)), loops_ = 0, calls_ = 0, cheap_ = true;
    first_local_ = static_cast<std::uint32_t>(made.params.size());
    for (std::uint32_t i = 0; i < made.params.size(); ++i)
      emit({0x20}), emit(leb(i)), emit({0x21}), emit(leb(local(made.params[i])));
    statements(8);
    if (!functions_.empty() && one_in(3)) indirect();
    value(made.result);
    made.cheap = cheap_;

    Bytes locals;
    for (std::uint8_t type : kTypes) locals.insert(locals.end(), kLocalsPerType, type);
    locals.insert(locals.end(), kTypes.begin(), kTypes.end()); // for canonicalise()
    locals.insert(locals.end(), kLoopCounters, kI32);
    const std::uint32_t number = module_.func(made.type, code_, locals);
    if (exported) module_.export_func("f" + std::to_string(number), number);
    functions_.push_back(made);
  }

  // May meet another signature or a null, or come back here: not more than so often in the life of an instance.
  void indirect() {
    const Function& callee = pick(functions_);
    cheap_ = false;
    emit({0x23}), emit(leb(kGuard)), emit({0x41}), emit(sleb(20)), emit({0x48, 0x04, 0x40});
    emit({0x23}), emit(leb(kGuard)), emit({0x41}), emit(sleb(1)), emit({0x6a, 0x24}), emit(leb(kGuard));
    for (std::uint8_t param : callee.params) value(param);
    value(kI32);
    if (!one_in(8)) emit({0x41}), emit(sleb(kTableLength - 1)), emit({0x71});
    emit({0x11}), emit(leb(callee.type)), emit({0x00});
    emit({0x21}), emit(leb(local(callee.result)));
    emit({0x0b});
  }

  // FNV over the memory's words, then the globals.
  void digest() {
    constexpr std::uint32_t kHash = 0, kAt = 1;
    code_.clear();
    auto fold = [&](const Bytes& read) {
      emit({0x20, kHash}), emit(read), emit({0x85, 0x42}), emit(sleb(0x100000001b3)), emit({0x7e, 0x21, kHash});
    };
    emit({0x42}), emit(sleb(static_cast<std::int64_t>(0xcbf29ce484222325ull))), emit({0x21, kHash, 0x03, 0x40});
    fold({0x20, kAt, 0x29, 0x03, 0x00});
    emit({0x20, kAt, 0x41, 0x08, 0x6a, 0x22, kAt, 0x3f, 0x00, 0x41, 0x10, 0x74, 0x49, 0x0d, 0x00, 0x0b});
    for (std::uint32_t i = 0; i < kGlobalsPerType; ++i) {
      auto read = [&](std::uint8_t type) {
        return Bytes{0x23, static_cast<std::uint8_t>(slot_of(type) * kGlobalsPerType + i)};
      };
      Bytes item = read(kI32);
      append(item, {0xad}), fold(item);
      fold(read(kI64));
      item = read(kF32), append(item, {0xbc, 0xad}), fold(item);
      item = read(kF64), append(item, {0xbd}), fold(item);
      for (std::uint8_t lane = 0; lane < 2; ++lane) item = read(kV128), append(item, {0xfd, 0x1d, lane}), fold(item);
    }
    emit({0x20, kHash});
    module_.export_func("digest", module_.func(module_.type({}, {kI64}), code_, {kI64, kI32}));
  }

  static constexpr std::uint32_t kLoopCounters = 3;
  static constexpr std::uint32_t kGuard = 5 * kGlobalsPerType; // a global that random code neither reads nor writes

  const Table table_;
  std::mt19937_64 random_;
  test::ModuleBytes module_;
  std::vector<Function> functions_;
  Bytes code_;
  int depth_ = 0, budget_ = 0;
  bool cheap_ = true;
  std::uint32_t first_local_ = 0, loops_ = 0, calls_ = 0;
};

} // namespace

std::vector<std::uint8_t> generate_module(std::uint64_t seed) { return Generator(seed).module(); }

} // namespace cusp::fuzz
