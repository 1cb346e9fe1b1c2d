#include "wasi/filesystem/beneath.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace cusp::wasi {

int open_beneath(int directory, const std::string& path, std::uint64_t flags, std::uint64_t mode, bool cached) {
  open_how how{};
  // Never wait for a FIFO's other end, never become the controlling terminal of this process.
  how.flags = flags | O_CLOEXEC;
  if (!(flags & O_PATH)) how.flags |= O_NONBLOCK | O_NOCTTY;
  how.mode = mode;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS | (cached ? RESOLVE_CACHED : 0);
  for (int attempt = 0;; ++attempt) {
    long fd = syscall(SYS_openat2, directory, path.c_str(), &how, sizeof how);
    if (fd >= 0) return static_cast<int>(fd);
    // EAGAIN without RESOLVE_CACHED: a rename raced with "..", so the kernel could not tell whether the path stays inside.
    bool again = errno == EINTR || (errno == EAGAIN && !cached);
    if (!again || attempt >= 64) return errno == EXDEV ? -EPERM : -errno;
  }
}

FileResult<base::UniqueFd> open_beneath(int directory, const std::string& path, std::uint64_t flags, std::uint64_t mode,
                                        IoMode io) {
  int fd = open_beneath(directory, path, flags, mode, true);
  // EINVAL: a kernel without RESOLVE_CACHED, or flags that it excludes.
  if (fd == -EAGAIN || fd == -EINVAL)
    fd = run_blocking(io, [&] { return open_beneath(directory, path, flags, mode, false); });
  if (fd < 0) return std::unexpected(file_error(-fd));
  return base::UniqueFd(fd);
}

FileResult<std::string> kernel_path(std::string_view path) {
  if (path.find('\0') != std::string_view::npos) return std::unexpected(FileError::Invalid);
  return std::string(path);
}

FileResult<Place> resolve_place(int directory, std::string_view path) {
  if (path.find('\0') != std::string_view::npos) return std::unexpected(FileError::Invalid);
  if (path.empty()) return std::unexpected(FileError::NoEntry);
  if (path.front() == '/') return std::unexpected(FileError::NotPermitted);
  Place place;
  // The slash at the end is taken off: with it the kernel would follow a symbolic link there, out of the directory.
  while (path.ends_with('/')) path.remove_suffix(1), place.trailing_slash = true;
  std::size_t slash = path.rfind('/');
  place.name = path.substr(slash == std::string_view::npos ? 0 : slash + 1);
  if (place.name == "..") return std::unexpected(FileError::NotPermitted);
  if (slash == std::string_view::npos) {
    place.parent = directory;
    return place;
  }
  std::string parent(path.substr(0, slash));
  int fd = open_beneath(directory, parent, O_PATH | O_DIRECTORY, 0, false);
  if (fd < 0) return std::unexpected(file_error(-fd));
  place.owned = base::UniqueFd(fd);
  place.parent = fd;
  return place;
}

FileResult<void> expect_directory(const Place& place) {
  struct ::stat stat{};
  if (fstatat(place.parent, place.name.c_str(), &stat, AT_SYMLINK_NOFOLLOW) != 0) return last_error();
  if (S_ISDIR(stat.st_mode)) return {};
  // The slash asks for what a symbolic link leads to: out of the directory is another answer than not to a directory.
  if (S_ISLNK(stat.st_mode)) {
    int fd = open_beneath(place.parent, place.name, O_PATH | O_DIRECTORY, 0, false);
    if (fd >= 0) close(fd);
    if (fd == -EPERM) return std::unexpected(FileError::NotPermitted);
  }
  return std::unexpected(FileError::NotDirectory);
}

DescriptorType type_of(mode_t mode) {
  switch (mode & S_IFMT) {
  case S_IFBLK: return DescriptorType::BlockDevice;
  case S_IFCHR: return DescriptorType::CharacterDevice;
  case S_IFDIR: return DescriptorType::Directory;
  case S_IFIFO: return DescriptorType::Fifo;
  case S_IFLNK: return DescriptorType::SymbolicLink;
  case S_IFREG: return DescriptorType::RegularFile;
  case S_IFSOCK: return DescriptorType::Socket;
  default: return DescriptorType::Unknown;
  }
}

DescriptorStat to_stat(const struct ::stat& from) {
  DescriptorStat stat;
  stat.type = type_of(from.st_mode);
  stat.link_count = from.st_nlink;
  stat.size = static_cast<std::uint64_t>(from.st_size);
  stat.data_access_timestamp = to_datetime(from.st_atim);
  stat.data_modification_timestamp = to_datetime(from.st_mtim);
  stat.status_change_timestamp = to_datetime(from.st_ctim);
  return stat;
}

MetadataHash to_hash(const struct ::stat& from) {
  // Two streams of splitmix64 over what identifies a file and its state: no secret, only few collisions.
  auto mix = [](std::uint64_t z) {
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  };
  MetadataHash hash{0x9e3779b97f4a7c15u, 0xd1b54a32d192ed03u};
  for (std::uint64_t part :
       {std::uint64_t{from.st_dev}, std::uint64_t{from.st_ino}, static_cast<std::uint64_t>(from.st_size),
        static_cast<std::uint64_t>(from.st_mtim.tv_sec), static_cast<std::uint64_t>(from.st_mtim.tv_nsec)}) {
    hash.lower = mix(hash.lower + part);
    hash.upper = mix(hash.upper ^ (part + 0x9e3779b97f4a7c15u));
  }
  return hash;
}

std::pair<timespec, timespec> to_times(const NewTimestamp& access, const NewTimestamp& modification) {
  auto one = [](const NewTimestamp& time) -> timespec {
    if (time.index() == 0) return {.tv_sec = 0, .tv_nsec = UTIME_OMIT};
    if (time.index() == 1) return {.tv_sec = 0, .tv_nsec = UTIME_NOW};
    return std::get<2>(time);
  };
  return {one(access), one(modification)};
}

} // namespace cusp::wasi
