// What the kernel knows about pages of this process, and the two kernel interfaces that write tracking stands on.
#pragma once

#include <cstdint>
#include <vector>

#include "base/result.h"

namespace cusp::runtime {

// Runs of consecutive pages.
struct PageRun {
  std::uint8_t* begin;
  std::uint64_t size;
};

// Appends the runs of [begin, begin + size) whose pages are this process's own: private memory that was written (a page that
// was only read may be among them). `by_ioctl`: PAGEMAP_SCAN, else /proc/self/pagemap is read.
base::Result<void> find_private_pages(std::uint8_t* begin, std::uint64_t size, bool by_ioctl,
                                      std::vector<PageRun>& runs);

// One userfaultfd for the process, in the mode where a write to a protected page raises SIGBUS. Probed once.
bool userfaultfd_works();
base::Result<void> userfaultfd_register(std::uint8_t* begin, std::uint64_t size);
// Async-signal-safe. False: errno says why.
bool userfaultfd_protect(std::uint8_t* begin, std::uint64_t size, bool protect);

bool pagemap_scan_works();

} // namespace cusp::runtime
