// The half of Descriptor that works on names in a directory: a parent resolved beneath the descriptor, and one component in it.
#include <fcntl.h>
#include <unistd.h>

#include "canon/strings.h"
#include "wasi/filesystem/beneath.h"
#include "wasi/filesystem/descriptor.h"

namespace cusp::wasi {

FileResult<void> Descriptor::create_directory_at(std::string_view path) {
  if (auto allowed = may_change(); !allowed) return allowed;
  return run_blocking(mode_, [&]() -> FileResult<void> {
    auto place = resolve_place(file_->fd.get(), path);
    if (!place) return std::unexpected(place.error());
    if (mkdirat(place->parent, place->name.c_str(), 0777) != 0) return last_error();
    return {};
  });
}

FileResult<void> Descriptor::remove_directory_at(std::string_view path) {
  if (auto allowed = may_change(); !allowed) return allowed;
  return run_blocking(mode_, [&]() -> FileResult<void> {
    auto place = resolve_place(file_->fd.get(), path);
    if (!place) return std::unexpected(place.error());
    if (place->trailing_slash) CUSP_TRY(expect_directory(*place));
    if (unlinkat(place->parent, place->name.c_str(), AT_REMOVEDIR) != 0) return last_error();
    return {};
  });
}

FileResult<void> Descriptor::unlink_file_at(std::string_view path) {
  if (auto allowed = may_change(); !allowed) return allowed;
  return run_blocking(mode_, [&]() -> FileResult<void> {
    auto place = resolve_place(file_->fd.get(), path);
    if (!place) return std::unexpected(place.error());
    if (place->trailing_slash) CUSP_TRY(expect_directory(*place));
    if (unlinkat(place->parent, place->name.c_str(), 0) != 0) return last_error();
    return {};
  });
}

FileResult<void> Descriptor::set_times_at(PathFlags flags, std::string_view path, const NewTimestamp& access,
                                          const NewTimestamp& modification) {
  if (auto allowed = may_change(); !allowed) return allowed;
  auto name = kernel_path(path);
  if (!name) return std::unexpected(name.error());
  auto [first, second] = to_times(access, modification);
  timespec times[2] = {first, second};
  std::uint64_t how = O_PATH | (has(flags, PathFlags::SymlinkFollow) ? 0 : O_NOFOLLOW);
  return run_blocking(mode_, [&]() -> FileResult<void> {
    int fd = open_beneath(file_->fd.get(), *name, how, 0, false);
    if (fd < 0) return std::unexpected(file_error(-fd));
    base::UniqueFd owned(fd);
    if (utimensat(fd, "", times, AT_EMPTY_PATH) != 0) return last_error();
    return {};
  });
}

FileResult<std::string> Descriptor::readlink_at(std::string_view path) {
  if (!file_->is_directory()) return std::unexpected(FileError::NotDirectory);
  auto name = kernel_path(path);
  if (!name) return std::unexpected(name.error());
  auto fd = open_beneath(file_->fd.get(), *name, O_PATH | O_NOFOLLOW, 0, mode_);
  if (!fd) return std::unexpected(fd.error());
  char target[4096];
  ssize_t size = readlinkat(fd->get(), "", target, sizeof target);
  // ENOENT is what the kernel says of an empty path to something that is no link.
  if (size < 0) return std::unexpected(errno == ENOENT ? FileError::Invalid : file_error(errno));
  std::string text(target, static_cast<std::size_t>(size));
  if (!canon::is_utf8(text)) return std::unexpected(FileError::IllegalByteSequence);
  // An absolute target tells of the host outside the directory.
  if (text.starts_with('/')) return std::unexpected(FileError::NotPermitted);
  return text;
}

FileResult<void> Descriptor::symlink_at(std::string_view target, std::string_view path) {
  if (auto allowed = may_change(); !allowed) return allowed;
  auto text = kernel_path(target);
  if (!text) return std::unexpected(text.error());
  if (target.starts_with('/')) return std::unexpected(FileError::NotPermitted);
  return run_blocking(mode_, [&]() -> FileResult<void> {
    auto place = resolve_place(file_->fd.get(), path);
    if (!place) return std::unexpected(place.error());
    if (place->trailing_slash) CUSP_TRY(expect_directory(*place));
    if (symlinkat(text->c_str(), place->parent, place->name.c_str()) != 0) return last_error();
    return {};
  });
}

FileResult<void> Descriptor::link_at(PathFlags flags, std::string_view old_path, const Descriptor& new_directory,
                                     std::string_view new_path) {
  if (auto allowed = may_change(); !allowed) return allowed;
  if (auto allowed = new_directory.may_change(); !allowed) return allowed;
  if (has(flags, PathFlags::SymlinkFollow)) return std::unexpected(FileError::Invalid);
  return run_blocking(mode_, [&]() -> FileResult<void> {
    auto from = resolve_place(file_->fd.get(), old_path);
    if (!from) return std::unexpected(from.error());
    auto to = resolve_place(new_directory.file_->fd.get(), new_path);
    if (!to) return std::unexpected(to.error());
    if (from->trailing_slash) CUSP_TRY(expect_directory(*from));
    if (to->trailing_slash) CUSP_TRY(expect_directory(*to));
    if (linkat(from->parent, from->name.c_str(), to->parent, to->name.c_str(), 0) != 0) return last_error();
    return {};
  });
}

FileResult<void> Descriptor::rename_at(std::string_view old_path, const Descriptor& new_directory,
                                       std::string_view new_path) {
  if (auto allowed = may_change(); !allowed) return allowed;
  if (auto allowed = new_directory.may_change(); !allowed) return allowed;
  return run_blocking(mode_, [&]() -> FileResult<void> {
    auto from = resolve_place(file_->fd.get(), old_path);
    if (!from) return std::unexpected(from.error());
    auto to = resolve_place(new_directory.file_->fd.get(), new_path);
    if (!to) return std::unexpected(to.error());
    if (from->trailing_slash || to->trailing_slash) CUSP_TRY(expect_directory(*from));
    if (renameat(from->parent, from->name.c_str(), to->parent, to->name.c_str()) != 0) return last_error();
    return {};
  });
}

} // namespace cusp::wasi
