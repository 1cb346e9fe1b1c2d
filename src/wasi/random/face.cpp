#include <cstring>
#include <utility>

#include <fmt/format.h>

#include "wasi/context.h"
#include "wasi/linker.h"
#include "wasi/random/random.h"

namespace cusp::wasi {

namespace {

// What happens when more is asked for than the operator allows: 0.2 has no way to give less.
enum class Beyond : std::uint8_t { Trap, GiveLess };

// Fills a list in the guest through a host buffer: the kernel is never given guest memory.
template <Beyond kBeyond, class Fill>
canon::GuestBytes random_list(canon::CallContext& cx, std::uint64_t length, Fill fill) {
  std::uint64_t most = cx.host<Context>().config->max_random_bytes;
  if (length > most && kBeyond == Beyond::Trap) {
    cx.trap(fmt::format("{} random bytes at once, and the limit is {}", length, most));
    return {};
  }
  length = std::min(length, most);
  canon::GuestBytes list = cx.new_bytes(static_cast<std::uint32_t>(length));
  std::uint8_t buffer[1024];
  for (std::size_t at = 0; at < length && !cx.trapped(); at += sizeof buffer) {
    std::size_t part = std::min<std::size_t>(sizeof buffer, length - at);
    fill(std::span(buffer).first(part));
    std::memcpy(list.host_pointer + at, buffer, part);
  }
  return list;
}

template <Beyond kBeyond> canon::GuestBytes get_random_bytes(canon::CallContext& cx, std::uint64_t length) {
  return random_list<kBeyond>(cx, length, &fill_random);
}

template <Beyond kBeyond> canon::GuestBytes get_insecure_random_bytes(canon::CallContext& cx, std::uint64_t length) {
  std::uint64_t& state = cx.host<Context>().insecure_state;
  return random_list<kBeyond>(cx, length, [&state](std::span<std::uint8_t> into) {
    for (std::size_t at = 0; at < into.size(); at += 8) {
      std::uint64_t value = insecure_u64(state);
      std::memcpy(into.data() + at, &value, std::min<std::size_t>(8, into.size() - at));
    }
  });
}

// The same each time.
std::pair<std::uint64_t, std::uint64_t> insecure_seed(canon::CallContext& cx) {
  Context& context = cx.host<Context>();
  if (!context.insecure_seed) {
    std::uint64_t first = insecure_u64(context.insecure_state);
    context.insecure_seed = {first, insecure_u64(context.insecure_state)};
  }
  return *context.insecure_seed;
}

template <Beyond kBeyond> void add_version(canon::Linker& linker, const std::string& version) {
  linker.instance("wasi:random/random" + version)
      .func("get-random-bytes", &get_random_bytes<kBeyond>)
      .func("get-random-u64", [] { return random_u64(); });
  linker.instance("wasi:random/insecure" + version)
      .func("get-insecure-random-bytes", &get_insecure_random_bytes<kBeyond>)
      .func("get-insecure-random-u64",
            [](canon::CallContext& cx) { return insecure_u64(cx.host<Context>().insecure_state); });
}

} // namespace

void add_random(canon::Linker& linker) {
  add_version<Beyond::Trap>(linker, "@0.2.12");
  add_version<Beyond::GiveLess>(linker, "@0.3.0");
  linker.instance("wasi:random/insecure-seed@0.2.12").func("insecure-seed", &insecure_seed);
  linker.instance("wasi:random/insecure-seed@0.3.0").func("get-insecure-seed", &insecure_seed);
}

} // namespace cusp::wasi
