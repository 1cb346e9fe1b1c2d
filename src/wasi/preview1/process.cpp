// What a program is told of its surroundings, and how it ends: arguments, environment, clocks, random bytes, exit.
#include <cstring>
#include <ctime>

#include "wasi/preview1/preview1.h"
#include "wasi/random/random.h"

namespace cusp::wasi::preview1 {

namespace {

using runtime::HostCall;
using runtime::HostModule;

// Strings with a NUL behind each, and the address of each.
class StringList {
public:
  void add(std::string_view text) {
    offsets_.push_back(bytes_.size());
    bytes_.append(text).push_back('\0');
  }
  Expected<void> sizes(std::uint32_t& count, std::uint32_t& size) const {
    if (bytes_.size() > ~std::uint32_t{0}) return fail(Errno::Overflow);
    count = static_cast<std::uint32_t>(offsets_.size());
    size = static_cast<std::uint32_t>(bytes_.size());
    return {};
  }
  Expected<void> get(HostCall& call, std::uint32_t addresses, std::uint32_t bytes) const {
    std::uint32_t count = 0, size = 0;
    CUSP_TRY(sizes(count, size));
    auto address = call.array<std::uint32_t>(addresses, count);
    auto text = call.array<char>(bytes, size);
    if (call.trapped() || count == 0) return {};
    std::memcpy(text.data(), bytes_.data(), size);
    for (std::size_t i = 0; i < offsets_.size(); ++i) address[i] = bytes + static_cast<std::uint32_t>(offsets_[i]);
    return {};
  }

private:
  std::string bytes_;
  std::vector<std::size_t> offsets_;
};

StringList arguments(HostCall& call) {
  StringList list;
  for (const std::string& argument : program(call).context.config->arguments) list.add(argument);
  return list;
}
StringList environment(HostCall& call) {
  StringList list;
  for (const auto& [name, value] : program(call).context.config->environment) list.add(name + "=" + value);
  return list;
}

Expected<void> args_sizes_get(HostCall& call, std::uint32_t& count, std::uint32_t& size) {
  return arguments(call).sizes(count, size);
}
Expected<void> args_get(HostCall& call, std::uint32_t addresses, std::uint32_t bytes) {
  return arguments(call).get(call, addresses, bytes);
}
Expected<void> environ_sizes_get(HostCall& call, std::uint32_t& count, std::uint32_t& size) {
  return environment(call).sizes(count, size);
}
Expected<void> environ_get(HostCall& call, std::uint32_t addresses, std::uint32_t bytes) {
  return environment(call).get(call, addresses, bytes);
}

// The guest stands for this process: its CPU time is ours.
Expected<std::uint64_t> ask_clock(int (*read)(clockid_t, timespec*), Clockid id) {
  constexpr clockid_t kClocks[] = {CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_PROCESS_CPUTIME_ID, CLOCK_THREAD_CPUTIME_ID};
  auto index = static_cast<std::uint32_t>(id);
  if (index >= std::size(kClocks)) return fail(Errno::Inval);
  timespec time = read_clock(read, kClocks[index]);
  return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000 + static_cast<std::uint64_t>(time.tv_nsec);
}

Expected<void> clock_res_get(HostCall&, Clockid id, std::uint64_t& resolution) {
  resolution = CUSP_TRY(ask_clock(&clock_getres, id));
  return {};
}
Expected<void> clock_time_get(HostCall&, Clockid id, std::uint64_t, std::uint64_t& time) {
  time = CUSP_TRY(ask_clock(&clock_gettime, id));
  return {};
}

Expected<void> random_get(HostCall&, std::span<std::uint8_t> buffer) {
  std::uint8_t bytes[1024]; // the kernel is never given guest memory
  while (!buffer.empty()) {
    std::size_t part = std::min(buffer.size(), sizeof bytes);
    fill_random(std::span(bytes).first(part));
    std::memcpy(buffer.data(), bytes, part);
    buffer = buffer.subspan(part);
  }
  return {};
}

void proc_exit(HostCall& call, std::uint32_t code) {
  program(call).context.exit_code = static_cast<std::uint8_t>(code); // what a process can say
  call.trap("the guest exited", abi::Trap::Cancelled);
}
// There is nobody to send a signal to; a program that wants to end has proc_exit.
Expected<void> proc_raise(HostCall&, std::uint32_t) { return fail(Errno::Notsup); }

Expected<void> sched_yield(HostCall&) {
  loop::Fiber::yield();
  return {};
}

} // namespace

void add_process(HostModule& module) {
  module.func("args_get", answer<args_get>)
      .func("args_sizes_get", answer<args_sizes_get>)
      .func("environ_get", answer<environ_get>)
      .func("environ_sizes_get", answer<environ_sizes_get>)
      .func("clock_res_get", answer<clock_res_get>)
      .func("clock_time_get", answer<clock_time_get>)
      .func("random_get", answer<random_get>)
      .func("proc_exit", &proc_exit)
      .func("proc_raise", answer<proc_raise>)
      .func("sched_yield", answer<sched_yield>);
}

} // namespace cusp::wasi::preview1
