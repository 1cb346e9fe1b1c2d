#include "artifact/cpu.h"

#include <algorithm>
#include <bitset>
#include <cpuid.h>
#include <cstdint>

namespace cusp::artifact {

namespace {

enum class Register { Eax, Ebx, Ecx, Edx };
enum class SavedState { None, Avx, Avx512 };

struct Feature {
  std::string_view name;
  std::uint32_t leaf, subleaf;
  Register reg;
  unsigned bit;
  SavedState state;
};

constexpr Feature kFeatures[] = {
#define FEATURE(name, leaf, subleaf, reg, bit, state) {name, leaf, subleaf, Register::reg, bit, SavedState::state},
#include "artifact/cpu_features.def"
#undef FEATURE
};
constexpr std::size_t kCount = std::size(kFeatures);

constexpr std::string_view kNames[] = {
#define FEATURE(name, ...) name,
#include "artifact/cpu_features.def"
#undef FEATURE
};

std::uint64_t saved_state() {
  std::uint32_t a = 0, b = 0, c = 0, d = 0;
  if (!__get_cpuid(1, &a, &b, &c, &d) || (c & (1u << 27)) == 0) return 0;
  std::uint32_t low, high;
  asm volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return low | std::uint64_t{high} << 32;
}

std::bitset<kCount> probe() {
  const std::uint64_t saved = saved_state();
  std::bitset<kCount> found;
  for (std::size_t i = 0; i < kCount; ++i) {
    const Feature& f = kFeatures[i];
    std::uint32_t regs[4] = {};
    if (!__get_cpuid_count(f.leaf, f.subleaf, &regs[0], &regs[1], &regs[2], &regs[3])) continue;
    std::uint64_t needs = f.state == SavedState::None ? 0 : f.state == SavedState::Avx ? 0x6 : 0xe6;
    found[i] = (regs[static_cast<int>(f.reg)] >> f.bit & 1) != 0 && (saved & needs) == needs;
  }
  return found;
}

const std::bitset<kCount>& host() {
  static const std::bitset<kCount> found = probe();
  return found;
}

} // namespace

std::span<const std::string_view> known_cpu_features() { return kNames; }

bool host_has_feature(std::string_view name) {
  for (std::size_t i = 0; i < kCount; ++i)
    if (kFeatures[i].name == name) return host()[i];
  return false;
}

std::vector<std::string> host_cpu_features() {
  std::vector<std::string> names;
  for (std::size_t i = 0; i < kCount; ++i)
    if (host()[i]) names.emplace_back(kFeatures[i].name);
  std::ranges::sort(names);
  return names;
}

} // namespace cusp::artifact
