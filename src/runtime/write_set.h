// The pages that the instances of one slot write, learned once and put back at every reset (DESIGN decision 9).
// seal() takes what is in the ranges as clean and write-protects them. The first write to a page faults; the handler notes the page and
// unprotects it, for good. reset() copies the noted pages back: no system call, no page fault afterwards.
// Three ways to notice a write: userfaultfd write-protection (splits no mapping), mprotect (does; so neighbouring pages are
// noted together and the number of splits is bounded per process), and scanning the page tables at reset.
// Where clean bytes come from: the mapped image, zero, or a copy kept here of pages that were written before seal().
// Used by one thread at a time. on_write_fault() runs in a signal handler, possibly on top of host code: it takes no lock, allocates
// nothing, and everything it touches is written by this thread only.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/result.h"
#include "runtime/address_table.h"
#include "runtime/page_table.h"
#include "runtime/slot.h"

namespace cusp::runtime {

class WriteSet {
public:
  // Page-aligned. `image`: what the first image_size bytes (a multiple of the page size) hold when untouched; the rest is zero.
  struct Range {
    std::uint8_t* begin = nullptr;
    std::uint64_t size = 0;
    const std::uint8_t* image = nullptr;
    std::uint64_t image_size = 0;
  };

  // [base, base + size): where all ranges will lie. Automatic is resolved here.
  static base::Result<std::unique_ptr<WriteSet>> create(std::uint8_t* base, std::uint64_t size, WriteTracking tracking);
  ~WriteSet();

  // REQUIRES: ranges private mappings, readable and writable, made of `image` and anonymous memory. May be called once.
  base::Result<void> seal(std::span<const Range> ranges);
  // Every byte of the ranges as at seal(). REQUIRES: sealed; no guest of the slot running.
  base::Result<void> reset();
  // Zero again what was written of [begin, begin + size): memory that grew behind a range. Its pages stay, for the next use most
  // likely grows, too, and a page fault costs more than clearing a page; more than set_dear_pages() are given back to the system.
  base::Result<void> clear_grown(std::uint8_t* begin, std::uint64_t size);
  // Forgets what was learned and gives the memory back to the system. The ranges are clean afterwards.
  base::Result<void> drop();

  // A write to `address` faulted. True: it may be tried again. Async-signal-safe.
  bool on_write_fault(std::uintptr_t address);

  WriteTracking tracking() const { return tracking_; } // what is in use: mprotect falls back to scanning when it must
  std::uint32_t learned_pages() const { return tracking_ == WriteTracking::Scan ? scanned_pages_ : learned_count_; }
  // How many more mappings the process may split by mprotect: half of vm.max_map_count at first. Thread-safe.
  static std::int64_t splits_left();
  static void set_splits_left(std::int64_t splits);
  // More than this is dropped rather than copied back.
  void set_dear_pages(std::uint32_t pages) { dear_pages_ = pages; }

private:
  struct Learned {
    std::uint8_t* page;
    const std::uint8_t* clean; // nullptr: zero
  };
  WriteSet() = default;
  const Range* range_of(std::uintptr_t address) const;
  const std::uint8_t* clean_page(const Range& range, std::uint8_t* page) const;
  bool is_learned(const std::uint8_t* page) const;
  void note(const Range& range, std::uint8_t* page);
  bool learn_by_mprotect(const Range& range, std::uint8_t* page);
  bool stop_protecting();
  base::Result<void> keep_copies();
  base::Result<void> protect();
  base::Result<void> reset_by_scan();

  WriteTracking tracking_ = WriteTracking::Scan;
  std::uint8_t* base_ = nullptr;
  std::uint64_t size_ = 0;
  std::vector<Range> ranges_;
  // Pages written before seal(), sorted by address, and their contents.
  std::vector<std::uint8_t*> copied_;
  std::uint8_t* copies_ = nullptr;
  std::uint64_t copies_size_ = 0;
  // Mapped so that only what is used takes memory: one entry per page that can be learned, one bit per page of the slot.
  Learned* learned_ = nullptr;
  std::uint32_t learned_capacity_ = 0, learned_count_ = 0, scanned_pages_ = 0;
  std::vector<PageRun> scanned_;
  std::uint8_t* learned_bits_ = nullptr;
  std::uint32_t runs_ = 0; // mappings split by mprotect
  std::uint32_t dear_pages_ = 1024, resets_since_drop_ = 0;
  AddressRegistration registration_;
};

} // namespace cusp::runtime
