#include "runtime/page_table.h"

#include <cerrno>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "abi/vm.h"
#include "base/unique_fd.h"

namespace cusp::runtime {

using base::ErrorCode;
using base::Result;

namespace {

// Newer than the headers of Debian 12 (linux/fs.h of 6.7, linux/userfaultfd.h of 6.4).
struct page_region {
  std::uint64_t start, end, categories;
};
struct pm_scan_arg {
  std::uint64_t size, flags, start, end, walk_end, vec, vec_len, max_pages;
  std::uint64_t category_inverted, category_mask, category_anyof_mask, return_mask;
};
constexpr unsigned long kPagemapScan = _IOWR('f', 16, pm_scan_arg);
constexpr std::uint64_t kPageIsFile = 1 << 2, kPageIsPresent = 1 << 3, kPageIsSwapped = 1 << 4, kPageIsZero = 1 << 5;
constexpr std::uint64_t kFeatureWpUnpopulated = 1 << 13;

// Open for the life of the process: opening it costs more than asking.
int pagemap_fd() {
  static const int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
  return fd;
}

Result<void> scan_by_ioctl(std::uint8_t* begin, std::uint64_t size, std::vector<PageRun>& runs) {
  page_region regions[64];
  pm_scan_arg arg{};
  arg.size = sizeof arg;
  arg.start = reinterpret_cast<std::uint64_t>(begin);
  arg.end = arg.start + size;
  arg.vec = reinterpret_cast<std::uint64_t>(regions);
  arg.vec_len = std::size(regions);
  arg.category_inverted = arg.category_mask = kPageIsFile | kPageIsZero;
  arg.category_anyof_mask = kPageIsPresent | kPageIsSwapped;
  arg.return_mask = kPageIsPresent;
  while (arg.start < arg.end) {
    int found = ioctl(pagemap_fd(), kPagemapScan, &arg);
    if (found < 0) {
      if (errno == EINTR) continue;
      return base::fail_errno("scan", "/proc/self/pagemap", errno);
    }
    for (int i = 0; i < found; ++i)
      runs.push_back({reinterpret_cast<std::uint8_t*>(regions[i].start), regions[i].end - regions[i].start});
    arg.start = arg.walk_end;
  }
  return {};
}

Result<void> scan_by_reading(std::uint8_t* begin, std::uint64_t size, std::vector<PageRun>& runs) {
  constexpr std::uint64_t kPresent = std::uint64_t{1} << 63, kSwapped = std::uint64_t{1} << 62;
  constexpr std::uint64_t kFile = std::uint64_t{1} << 61;
  std::uint64_t entries[512];
  std::uint64_t pages = size / abi::kHostPageSize;
  auto first = reinterpret_cast<std::uint64_t>(begin) / abi::kHostPageSize;
  for (std::uint64_t at = 0; at < pages;) {
    std::uint64_t want = std::min<std::uint64_t>(pages - at, std::size(entries));
    ssize_t got = pread(pagemap_fd(), entries, want * 8, static_cast<off_t>((first + at) * 8));
    if (got < 0 && errno == EINTR) continue;
    if (got < 8) return base::fail_errno("read", "/proc/self/pagemap", got < 0 ? errno : EIO);
    for (ssize_t i = 0; i < got / 8; ++i, ++at) {
      if (!(entries[i] & (kPresent | kSwapped)) || (entries[i] & kFile)) continue;
      std::uint8_t* page = begin + at * abi::kHostPageSize;
      if (!runs.empty() && runs.back().begin + runs.back().size == page) runs.back().size += abi::kHostPageSize;
      else runs.push_back({page, abi::kHostPageSize});
    }
  }
  return {};
}

// Protects an untouched page of a private file mapping and of anonymous memory: refused where the kernel cannot do both.
int open_userfaultfd() {
  base::UniqueFd fd(static_cast<int>(syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK | UFFD_USER_MODE_ONLY)));
  if (!fd) return -1;
  uffdio_api api{};
  api.api = UFFD_API;
  api.features =
      UFFD_FEATURE_SIGBUS | UFFD_FEATURE_PAGEFAULT_FLAG_WP | UFFD_FEATURE_WP_HUGETLBFS_SHMEM | kFeatureWpUnpopulated;
  if (ioctl(fd.get(), UFFDIO_API, &api) != 0) return -1;
  return fd.release();
}

int userfaultfd_fd() {
  static const int fd = open_userfaultfd();
  return fd;
}

} // namespace

Result<void> find_private_pages(std::uint8_t* begin, std::uint64_t size, bool by_ioctl, std::vector<PageRun>& runs) {
  if (size == 0) return {};
  return by_ioctl ? scan_by_ioctl(begin, size, runs) : scan_by_reading(begin, size, runs);
}

bool userfaultfd_works() { return userfaultfd_fd() >= 0; }

Result<void> userfaultfd_register(std::uint8_t* begin, std::uint64_t size) {
  uffdio_register request{};
  request.range = {reinterpret_cast<std::uint64_t>(begin), size};
  request.mode = UFFDIO_REGISTER_MODE_WP;
  if (ioctl(userfaultfd_fd(), UFFDIO_REGISTER, &request) != 0)
    return base::fail_errno("register", "memory with userfaultfd", errno);
  return {};
}

bool userfaultfd_protect(std::uint8_t* begin, std::uint64_t size, bool protect) {
  uffdio_writeprotect request{};
  request.range = {reinterpret_cast<std::uint64_t>(begin), size};
  request.mode = protect ? UFFDIO_WRITEPROTECT_MODE_WP : 0;
  while (ioctl(userfaultfd_fd(), UFFDIO_WRITEPROTECT, &request) != 0)
    if (errno != EAGAIN && errno != EINTR) return false;
  return true;
}

bool pagemap_scan_works() {
  static const bool works = [] {
    static std::uint8_t probe;
    auto* page = reinterpret_cast<std::uint8_t*>(reinterpret_cast<std::uintptr_t>(&probe) & ~(abi::kHostPageSize - 1));
    std::vector<PageRun> runs;
    return scan_by_ioctl(page, abi::kHostPageSize, runs).has_value();
  }();
  return works;
}

} // namespace cusp::runtime
