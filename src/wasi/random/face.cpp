#include <cstring>
#include <tuple>

#include "wasi/context.h"
#include "wasi/linker.h"
#include "wasi/random/random.h"

namespace cusp::wasi {

namespace {

constexpr std::uint64_t kMaxBytes = 64u << 20;

// Fills a list in the guest through a host buffer: the kernel is never given guest memory.
template <class Fill> canon::GuestBytes random_list(canon::CallContext& cx, std::uint64_t length, Fill fill) {
  if (length > kMaxBytes) {
    cx.trap("more than 64 MiB of random bytes at once");
    return {};
  }
  canon::GuestBytes list = cx.new_bytes(static_cast<std::uint32_t>(length));
  std::uint8_t buffer[1024];
  for (std::size_t at = 0; at < length && !cx.trapped(); at += sizeof buffer) {
    std::size_t part = std::min<std::size_t>(sizeof buffer, length - at);
    fill(std::span(buffer).first(part));
    std::memcpy(list.host_pointer + at, buffer, part);
  }
  return list;
}

} // namespace

void add_random(canon::Linker& linker) {
  linker.instance("wasi:random/random@0.2.12")
      .func("get-random-bytes",
            [](canon::CallContext& cx, std::uint64_t length) { return random_list(cx, length, &fill_random); })
      .func("get-random-u64", [] { return random_u64(); });

  linker.instance("wasi:random/insecure@0.2.12")
      .func("get-insecure-random-bytes",
            [](canon::CallContext& cx, std::uint64_t length) {
              std::uint64_t& state = cx.host<Context>().insecure_state;
              return random_list(cx, length, [&state](std::span<std::uint8_t> into) {
                for (std::size_t at = 0; at < into.size(); at += 8) {
                  std::uint64_t value = insecure_u64(state);
                  std::memcpy(into.data() + at, &value, std::min<std::size_t>(8, into.size() - at));
                }
              });
            })
      .func("get-insecure-random-u64",
            [](canon::CallContext& cx) { return insecure_u64(cx.host<Context>().insecure_state); });

  linker.instance("wasi:random/insecure-seed@0.2.12").func("insecure-seed", [](canon::CallContext& cx) {
    std::uint64_t& state = cx.host<Context>().insecure_state;
    std::uint64_t first = insecure_u64(state);
    return std::tuple<std::uint64_t, std::uint64_t>(first, insecure_u64(state));
  });
}

} // namespace cusp::wasi
