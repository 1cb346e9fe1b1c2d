// Address space owned by value: reserved without memory behind it, opened piece by piece.
#pragma once

#include <cstdint>
#include <sys/mman.h>
#include <utility>

#include "abi/vm.h"
#include "base/result.h"

namespace cusp::runtime {

constexpr std::uint64_t round_to_pages(std::uint64_t bytes) {
  return (bytes + abi::kHostPageSize - 1) & ~(abi::kHostPageSize - 1);
}

class Reservation {
public:
  Reservation() = default;
  // Inaccessible, counted against no memory limit. Error: LimitExceeded when the system refuses.
  static base::Result<Reservation> create(std::uint64_t size);
  Reservation(Reservation&& other) noexcept
      : base_(std::exchange(other.base_, nullptr)), size_(std::exchange(other.size_, 0)) {}
  Reservation& operator=(Reservation&& other) noexcept {
    std::swap(base_, other.base_);
    std::swap(size_, other.size_);
    return *this;
  }
  ~Reservation() {
    if (base_) munmap(base_, size_);
  }

  std::uint8_t* base() const { return base_; }
  std::uint64_t size() const { return size_; }

private:
  std::uint8_t* base_ = nullptr;
  std::uint64_t size_ = 0;
};

// Page-aligned pieces of a reservation. Error: LimitExceeded.
base::Result<void> open_pages(std::uint8_t* begin, std::uint64_t size);
base::Result<void> close_pages(std::uint8_t* begin, std::uint64_t size);
// Replaces pages by a private mapping of a file.
base::Result<void> map_file_pages(std::uint8_t* begin, std::uint64_t size, int fd, std::uint64_t offset);

} // namespace cusp::runtime
