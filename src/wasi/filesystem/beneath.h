// Resolving guest paths beneath a directory, and running what may block. For the faces of the file layer: filesystem/ and preview1/.
#pragma once

#include <cerrno>
#include <string>
#include <string_view>
#include <utility>

#include "base/unique_fd.h"
#include "wasi/filesystem/descriptor.h"

namespace cusp::wasi {

// Runs `work` where it may block, and returns what it returns. `work` owns or outlives everything it touches: the fiber waits for it.
template <class F> auto run_blocking(IoMode mode, F work) -> decltype(work()) {
  if (mode == IoMode::Direct) return work();
  std::optional<decltype(work())> result;
  loop::EventLoop::current()->run_blocking([&] { result.emplace(work()); });
  return *std::move(result);
}

// openat2(RESOLVE_BENEATH). `cached`: only what the kernel can do without waiting, else EAGAIN. Negative: -errno; leaving the directory is
// -EPERM.
int open_beneath(int directory, const std::string& path, std::uint64_t flags, std::uint64_t mode, bool cached);

// The same, trying the cache first and then waiting as `mode` says.
FileResult<base::UniqueFd> open_beneath(int directory, const std::string& path, std::uint64_t flags, std::uint64_t mode,
                                        IoMode io);

// What a path becomes for the kernel. Error: invalid, when there is a NUL in it.
FileResult<std::string> kernel_path(std::string_view path);

// A parent directory, resolved, and one name in it.
struct Place {
  base::UniqueFd owned;
  int parent = -1;
  std::string name; // one component
  bool trailing_slash = false;
};
FileResult<Place> resolve_place(int directory, std::string_view path);
// What a path with a slash at its end asks of a place: that a directory is there. Error: not-directory; what lstat says.
FileResult<void> expect_directory(const Place& place);

DescriptorType type_of(mode_t mode);
DescriptorStat to_stat(const struct ::stat& from);
MetadataHash to_hash(const struct ::stat& from);
std::pair<timespec, timespec> to_times(const NewTimestamp& access, const NewTimestamp& modification);

inline std::unexpected<FileError> last_error() { return std::unexpected(file_error(errno)); }

} // namespace cusp::wasi
