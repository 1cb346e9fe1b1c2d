// The functions on names below a directory.
#include <cstring>

#include "wasi/preview1/preview1.h"

namespace cusp::wasi::preview1 {

namespace {

using runtime::HostCall;
using runtime::HostModule;

Expected<PathFlags> path_flags(std::uint32_t lookup) {
  CUSP_TRY(only(lookup, kSymlinkFollow));
  return lookup & kSymlinkFollow ? PathFlags::SymlinkFollow : PathFlags::None;
}

// A directory that may be used so, and a path below it.
struct At {
  Ref<Entry> directory;
  std::string path;
  Descriptor& operator*() const { return *directory->descriptor; }
  Descriptor* operator->() const { return directory->descriptor.get(); }
};
Expected<At> at(HostCall& call, std::uint32_t fd, std::string_view path, Rights need) {
  Ref<Entry> directory = CUSP_TRY(entry(call, fd, need));
  return At{std::move(directory), CUSP_TRY(host_path(path))};
}

OpenFlags open_flags(std::uint32_t oflags) {
  OpenFlags open = OpenFlags::None;
  if (oflags & oflag::Creat) open = open | OpenFlags::Create;
  if (oflags & oflag::Directory) open = open | OpenFlags::Directory;
  if (oflags & oflag::Excl) open = open | OpenFlags::Exclusive;
  if (oflags & oflag::Trunc) open = open | OpenFlags::Truncate;
  return open;
}

DescriptorFlags descriptor_flags(Rights base, std::uint32_t fdflags) {
  DescriptorFlags flags = DescriptorFlags::None;
  if (base & right::FdRead) flags = flags | DescriptorFlags::Read;
  if (base & right::FdWrite) flags = flags | DescriptorFlags::Write;
  if (fdflags & fdflag::Sync) flags = flags | DescriptorFlags::FileIntegritySync;
  if (fdflags & fdflag::Dsync) flags = flags | DescriptorFlags::DataIntegritySync;
  if (fdflags & fdflag::Rsync) flags = flags | DescriptorFlags::RequestedWriteSync;
  return flags;
}

Expected<void> path_open(HostCall& call, std::uint32_t fd, std::uint32_t lookup, std::string_view path,
                         std::uint32_t oflags, Rights base, Rights, std::uint32_t fdflags, std::uint32_t& opened) {
  Rights need = right::PathOpen;
  if (oflags & oflag::Creat) need |= right::PathCreateFile;
  if (oflags & oflag::Trunc) need |= right::PathFilestatSetSize;
  At where = CUSP_TRY(at(call, fd, path, need));
  CUSP_TRY(only(oflags, oflag::All));
  CUSP_TRY(only(fdflags, fdflag::All));
  constexpr Rights kAsked = right::FdRead | right::FdWrite;
  if (base & kAsked & ~where.directory->inheriting) return fail(Errno::Notcapable);
  auto descriptor = CUSP_TRY(told(
      where->open_at(CUSP_TRY(path_flags(lookup)), where.path, open_flags(oflags), descriptor_flags(base, fdflags))));
  opened = CUSP_TRY(program(call).table.add(
      make_entry(std::move(descriptor), where.directory->inheriting, static_cast<std::uint16_t>(fdflags))));
  return {};
}

Expected<void> path_create_directory(HostCall& call, std::uint32_t fd, std::string_view path) {
  At where = CUSP_TRY(at(call, fd, path, right::PathCreateDirectory));
  return told(where->create_directory_at(where.path));
}
Expected<void> path_remove_directory(HostCall& call, std::uint32_t fd, std::string_view path) {
  At where = CUSP_TRY(at(call, fd, path, right::PathRemoveDirectory));
  return told(where->remove_directory_at(where.path));
}
Expected<void> path_unlink_file(HostCall& call, std::uint32_t fd, std::string_view path) {
  At where = CUSP_TRY(at(call, fd, path, right::PathUnlinkFile));
  return told(where->unlink_file_at(where.path));
}

template <class Generation> Expected<void> path_filestat_get(HostCall& call, std::uint32_t fd, std::uint32_t lookup,
                                                             std::string_view path,
                                                             typename Generation::Filestat& stat) {
  At where = CUSP_TRY(at(call, fd, path, right::PathFilestatGet));
  auto status = CUSP_TRY(told(where->status_at(CUSP_TRY(path_flags(lookup)), where.path)));
  stat = to_filestat<typename Generation::Filestat>(status);
  return {};
}

Expected<void> path_filestat_set_times(HostCall& call, std::uint32_t fd, std::uint32_t lookup, std::string_view path,
                                       std::uint64_t atim, std::uint64_t mtim, std::uint32_t flags) {
  At where = CUSP_TRY(at(call, fd, path, right::PathFilestatSetTimes));
  Times times = CUSP_TRY(new_times(atim, mtim, flags));
  return told(where->set_times_at(CUSP_TRY(path_flags(lookup)), where.path, times.access, times.modification));
}

Expected<void> path_readlink(HostCall& call, std::uint32_t fd, std::string_view path, std::span<std::uint8_t> buffer,
                             std::uint32_t& used) {
  At where = CUSP_TRY(at(call, fd, path, right::PathReadlink));
  std::string target = CUSP_TRY(told(where->readlink_at(where.path)));
  std::size_t size = std::min(buffer.size(), target.size());
  if (size != 0) std::memcpy(buffer.data(), target.data(), size);
  used = static_cast<std::uint32_t>(size);
  return {};
}

Expected<void> path_symlink(HostCall& call, std::string_view target, std::uint32_t fd, std::string_view path) {
  At where = CUSP_TRY(at(call, fd, path, right::PathSymlink));
  return told(where->symlink_at(CUSP_TRY(host_path(target)), where.path));
}

Expected<void> path_link(HostCall& call, std::uint32_t old_fd, std::uint32_t lookup, std::string_view old_path,
                         std::uint32_t new_fd, std::string_view new_path) {
  At from = CUSP_TRY(at(call, old_fd, old_path, right::PathLinkSource));
  At to = CUSP_TRY(at(call, new_fd, new_path, right::PathLinkTarget));
  return told(from->link_at(CUSP_TRY(path_flags(lookup)), from.path, *to, to.path));
}

Expected<void> path_rename(HostCall& call, std::uint32_t old_fd, std::string_view old_path, std::uint32_t new_fd,
                           std::string_view new_path) {
  At from = CUSP_TRY(at(call, old_fd, old_path, right::PathRenameSource));
  At to = CUSP_TRY(at(call, new_fd, new_path, right::PathRenameTarget));
  return told(from->rename_at(from.path, *to, to.path));
}

} // namespace

template <class Generation> void add_path(HostModule& module) {
  module.func("path_open", answer<path_open>)
      .func("path_create_directory", answer<path_create_directory>)
      .func("path_remove_directory", answer<path_remove_directory>)
      .func("path_unlink_file", answer<path_unlink_file>)
      .func("path_filestat_set_times", answer<path_filestat_set_times>)
      .func("path_readlink", answer<path_readlink>)
      .func("path_symlink", answer<path_symlink>)
      .func("path_link", answer<path_link>)
      .func("path_rename", answer<path_rename>)
      .func("path_filestat_get", answer<path_filestat_get<Generation>>);
}
template void add_path<Snapshot>(HostModule&);
template void add_path<Unstable>(HostModule&);

} // namespace cusp::wasi::preview1
