#include "wasi/random/random.h"

#include <cerrno>
#include <cstdlib>
#include <sys/random.h>

namespace cusp::wasi {

void fill_random(std::span<std::uint8_t> into) {
  while (!into.empty()) {
    ssize_t got = getrandom(into.data(), into.size(), 0);
    if (got < 0 && errno != EINTR) std::abort(); // without randomness nothing here is safe; the kernel promises it
    if (got > 0) into = into.subspan(static_cast<std::size_t>(got));
  }
}

std::uint64_t random_u64() {
  std::uint64_t value = 0;
  fill_random(std::span(reinterpret_cast<std::uint8_t*>(&value), sizeof value));
  return value;
}

std::uint64_t insecure_u64(std::uint64_t& state) {
  while (state == 0) state = random_u64();
  std::uint64_t z = state += 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

} // namespace cusp::wasi
