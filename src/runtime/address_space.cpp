#include "runtime/address_space.h"

#include <cerrno>
#include <cstring>
#include <fmt/format.h>

namespace cusp::runtime {

using base::ErrorCode;
using base::Result;

namespace {
[[gnu::cold]] std::unexpected<base::Error> refused(std::uint64_t size) {
  return base::fail(ErrorCode::LimitExceeded,
                    fmt::format("the system refused {} KiB of memory: {}", size >> 10, std::strerror(errno)));
}
} // namespace

Result<Reservation> Reservation::create(std::uint64_t size) {
  Reservation result;
  void* base = mmap(nullptr, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (base == MAP_FAILED)
    return base::fail(ErrorCode::LimitExceeded,
                      fmt::format("the system refused {} MiB of address space ({}); raise `ulimit -v`, or compile with "
                                  "explicit bounds checks",
                                  size >> 20, std::strerror(errno)));
  result.base_ = static_cast<std::uint8_t*>(base);
  result.size_ = size;
  return result;
}

Result<void> open_pages(std::uint8_t* begin, std::uint64_t size) {
  if (size && mprotect(begin, size, PROT_READ | PROT_WRITE) != 0) return refused(size);
  return {};
}

Result<void> close_pages(std::uint8_t* begin, std::uint64_t size) {
  if (size && mprotect(begin, size, PROT_NONE) != 0) return refused(size);
  return {};
}

Result<void> map_file_pages(std::uint8_t* begin, std::uint64_t size, int fd, std::uint64_t offset) {
  if (size == 0) return {};
  void* at = mmap(begin, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED, fd, static_cast<off_t>(offset));
  if (at == MAP_FAILED) return base::fail_errno("map", "a memory image", errno);
  return {};
}

} // namespace cusp::runtime
