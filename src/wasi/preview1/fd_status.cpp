// The functions on descriptors themselves: what they are, what they may, closing and renumbering them.
#include <cstring>

#include "wasi/preview1/preview1.h"

namespace cusp::wasi::preview1 {

namespace {

using runtime::HostCall;
using runtime::HostModule;

Expected<void> fd_close(HostCall& call, std::uint32_t fd) { return program(call).table.close(fd); }
Expected<void> fd_renumber(HostCall& call, std::uint32_t from, std::uint32_t to) {
  return program(call).table.renumber(from, to);
}

Expected<void> fd_fdstat_get(HostCall& call, std::uint32_t fd, Fdstat& stat) {
  Ref<Entry> of = CUSP_TRY(entry(call, fd));
  stat = {of->type, 0, of->flags, 0, of->base, of->inheriting};
  return {};
}

Expected<void> fd_fdstat_set_flags(HostCall& call, std::uint32_t fd, std::uint32_t flags) {
  constexpr std::uint16_t kSettled = fdflag::Dsync | fdflag::Rsync | fdflag::Sync; // when the file was opened
  Ref<Entry> of = CUSP_TRY(entry(call, fd, right::FdFdstatSetFlags));
  CUSP_TRY(only(flags, fdflag::All));
  if ((flags ^ of->flags) & kSettled) return fail(Errno::Inval);
  of->flags = static_cast<std::uint16_t>(flags);
  return {};
}

Expected<void> fd_fdstat_set_rights(HostCall& call, std::uint32_t fd, Rights base, Rights inheriting) {
  Ref<Entry> of = CUSP_TRY(entry(call, fd));
  if ((base & ~of->base) || (inheriting & ~of->inheriting)) return fail(Errno::Notcapable);
  of->base = base;
  of->inheriting = inheriting;
  return {};
}

template <class Generation>
Expected<void> fd_filestat_get(HostCall& call, std::uint32_t fd, typename Generation::Filestat& stat) {
  using Stat = typename Generation::Filestat;
  Ref<Entry> of = CUSP_TRY(entry(call, fd, right::FdFilestatGet));
  if (of->descriptor) {
    stat = to_filestat<Stat>(CUSP_TRY(told(of->descriptor->status())));
  } else {
    // What the host's end of a stream is, is not the guest's to know.
    stat = Stat{};
    stat.filetype = of->type;
  }
  return {};
}

Expected<void> fd_filestat_set_size(HostCall& call, std::uint32_t fd, std::uint64_t size) {
  return told(CUSP_TRY(entry(call, fd, right::FdFilestatSetSize))->descriptor->set_size(size));
}

Expected<void> fd_filestat_set_times(HostCall& call, std::uint32_t fd, std::uint64_t atim, std::uint64_t mtim,
                                     std::uint32_t flags) {
  Ref<Entry> of = CUSP_TRY(entry(call, fd, right::FdFilestatSetTimes));
  Times times = CUSP_TRY(new_times(atim, mtim, flags));
  return told(of->descriptor->set_times(times.access, times.modification));
}

Expected<void> fd_advise(HostCall& call, std::uint32_t fd, std::uint64_t offset, std::uint64_t length,
                         std::uint8_t advice) {
  Ref<Entry> file = CUSP_TRY(entry(call, fd, right::FdAdvise));
  if (advice > static_cast<std::uint8_t>(Advice::NoReuse)) return fail(Errno::Inval);
  return told(file->descriptor->advise(offset, length, static_cast<Advice>(advice))); // the same order
}

// Not every file system has it, and the later versions of WASI left it out: hosts agree to have none.
Expected<void> fd_allocate(HostCall& call, std::uint32_t fd, std::uint64_t, std::uint64_t) {
  CUSP_TRY(entry(call, fd, right::FdAllocate));
  return fail(Errno::Notsup);
}

Expected<void> fd_datasync(HostCall& call, std::uint32_t fd) {
  return told(CUSP_TRY(entry(call, fd, right::FdDatasync))->descriptor->sync(true));
}
Expected<void> fd_sync(HostCall& call, std::uint32_t fd) {
  return told(CUSP_TRY(entry(call, fd, right::FdSync))->descriptor->sync(false));
}

Expected<void> fd_prestat_get(HostCall& call, std::uint32_t fd, Prestat& prestat) {
  Ref<Entry> of = CUSP_TRY(entry(call, fd));
  if (!of->preopen_path) return fail(Errno::Badf);
  prestat = {0, static_cast<std::uint32_t>(of->preopen_path->size())};
  return {};
}

Expected<void> fd_prestat_dir_name(HostCall& call, std::uint32_t fd, std::span<std::uint8_t> path) {
  Ref<Entry> of = CUSP_TRY(entry(call, fd));
  if (!of->preopen_path) return fail(Errno::Notdir);
  const std::string& name = *of->preopen_path;
  if (path.size() < name.size()) return fail(Errno::Nametoolong);
  std::memcpy(path.data(), name.data(), name.size());
  return {};
}

} // namespace

template <class Generation> void add_fd_status(HostModule& module) {
  module.func("fd_close", answer<fd_close>)
      .func("fd_renumber", answer<fd_renumber>)
      .func("fd_fdstat_get", answer<fd_fdstat_get>)
      .func("fd_fdstat_set_flags", answer<fd_fdstat_set_flags>)
      .func("fd_fdstat_set_rights", answer<fd_fdstat_set_rights>)
      .func("fd_filestat_set_size", answer<fd_filestat_set_size>)
      .func("fd_filestat_set_times", answer<fd_filestat_set_times>)
      .func("fd_advise", answer<fd_advise>)
      .func("fd_allocate", answer<fd_allocate>)
      .func("fd_datasync", answer<fd_datasync>)
      .func("fd_sync", answer<fd_sync>)
      .func("fd_prestat_get", answer<fd_prestat_get>)
      .func("fd_prestat_dir_name", answer<fd_prestat_dir_name>)
      .func("fd_filestat_get", answer<fd_filestat_get<Generation>>);
}
template void add_fd_status<Snapshot>(HostModule&);
template void add_fd_status<Unstable>(HostModule&);

} // namespace cusp::wasi::preview1
