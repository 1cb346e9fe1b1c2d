// How a host function fails for good: not with a value of its interface, but by stopping the guest. A trap ends the
// component instance.
#pragma once

#include <expected>
#include <string>
#include <utility>

#include "abi/vm.h"
#include "base/result.h"

namespace cusp::canon {

using base::Result;

struct Trap {
  std::string message;
  abi::Trap code = abi::Trap::HostError;
};

// What a host function returns when it may trap: HostResult<std::expected<ByteList, StreamError>>.
template <class T> using HostResult = std::expected<T, Trap>;

// `return canon::trap("the stream was closed twice");` in a function that returns HostResult.
[[gnu::cold, gnu::noinline]] inline std::unexpected<Trap> trap(std::string message,
                                                               abi::Trap code = abi::Trap::HostError) {
  return std::unexpected(Trap{std::move(message), code});
}

// What an async host function returns that was cancelled and has no result. A trap where nobody asked for it.
[[gnu::cold, gnu::noinline]] inline std::unexpected<Trap> cancelled() {
  return std::unexpected(Trap{std::string(abi::trap_text(abi::Trap::Cancelled)), abi::Trap::Cancelled});
}

} // namespace cusp::canon
