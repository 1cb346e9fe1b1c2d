// WASI 0.1 for core programs: the functions of wasi_snapshot_preview1 and of wasi_unstable before it, on the same files, streams, clocks and random
// numbers as the 0.2 interfaces. A face only: what lies behind is filesystem/, cli/, clocks/, random/, io/.
// Every address is checked when a call begins (runtime/bind.h: a bad one traps). The kernel sees host buffers only; what may block suspends the
// guest's fiber. Spec: WASI, legacy/preview1/witx/wasi_snapshot_preview1.witx.
#pragma once

#include <string_view>

#include "runtime/bind.h"
#include "wasi/filesystem/beneath.h"
#include "wasi/preview1/buffers.h"
#include "wasi/preview1/descriptor_table.h"

namespace cusp::wasi::preview1 {

// What one program has open. Stands behind Store::user of the store that runs it. REQUIRES: a loop's thread.
class Program {
public:
  // Descriptors 0 to 2 are the standard streams, then come the preopened directories, then the listening sockets.
  explicit Program(Context& context);
  Context& context;
  DescriptorTable table;
};

// The functions under an import's module name; nullptr: it is not WASI 0.1.
const runtime::HostModule* host_module(std::string_view name);

// --- the rest is for this folder's files

inline Program& program(runtime::HostCall& call) { return call.host<Program>(); }
inline Expected<Ref<Entry>> entry(runtime::HostCall& call, std::uint32_t fd, Rights need = 0) {
  return program(call).table.get(fd, need);
}
// Suspends until ready. Error: Canceled, after a trap.
Expected<void> block(runtime::HostCall& call, std::span<Waitable* const> what);
Expected<void> block(runtime::HostCall& call, Waitable& what);
// A path in host memory. Error: Nametoolong; Ilseq, when it is not UTF-8.
Expected<std::string> host_path(std::string_view path);
// Flags that exist. Error: Inval.
Expected<void> only(std::uint32_t flags, std::uint32_t known);

struct Times {
  NewTimestamp access, modification;
};
Expected<Times> new_times(std::uint64_t atim, std::uint64_t mtim, std::uint32_t flags);

// sock_recv and sock_send, for fd_read and fd_write as well. `flags`: riflags.
Expected<std::uint32_t> receive(runtime::HostCall& call, const Entry& entry, GuestBuffers buffers, std::uint32_t flags);
Expected<std::size_t> send(runtime::HostCall& call, const Entry& entry, std::span<const std::uint8_t> bytes);

// What an open file becomes: a regular file or directory with an offset, or a stream.
Ref<Entry> make_entry(std::unique_ptr<Descriptor> descriptor, Rights passed_on, std::uint16_t flags);

template <class Stat> Stat to_filestat(const struct ::stat& from) {
  auto nanoseconds = [](const timespec& time) {
    Datetime at = to_datetime(time);
    std::uint64_t seconds = 0;
    // What cannot be said in 64 bits of nanoseconds is the last moment that can.
    if (__builtin_mul_overflow(at.seconds, std::uint64_t{1'000'000'000}, &seconds) ||
        __builtin_add_overflow(seconds, std::uint64_t{at.nanoseconds}, &seconds))
      return ~std::uint64_t{0};
    return seconds;
  };
  Stat stat{};
  stat.dev = from.st_dev;
  stat.ino = from.st_ino;
  stat.filetype = to_filetype(type_of(from.st_mode));
  stat.nlink = static_cast<decltype(stat.nlink)>(from.st_nlink);
  stat.size = static_cast<std::uint64_t>(from.st_size);
  stat.atim = nanoseconds(from.st_atim);
  stat.mtim = nanoseconds(from.st_mtim);
  stat.ctim = nanoseconds(from.st_ctim);
  return stat;
}

// The guest gets an errno; a function here has a result.
template <auto F> struct Answer;
template <class... P, Expected<void> (*F)(runtime::HostCall&, P...)> struct Answer<F> {
  static Errno call(runtime::HostCall& call, P... parameters) {
    auto done = F(call, static_cast<P>(parameters)...);
    return done ? Errno::Success : done.error();
  }
};
template <auto F> inline constexpr auto answer = &Answer<F>::call;

// One per file. Generation, where types differ between the two: Snapshot, Unstable.
void add_process(runtime::HostModule& module);
template <class Generation> void add_fd_io(runtime::HostModule& module);
template <class Generation> void add_fd_status(runtime::HostModule& module);
template <class Generation> void add_path(runtime::HostModule& module);
template <class Generation> void add_poll(runtime::HostModule& module);
template <class Generation> void add_sockets(runtime::HostModule& module);

} // namespace cusp::wasi::preview1
