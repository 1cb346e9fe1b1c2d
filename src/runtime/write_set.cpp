#include "runtime/write_set.h"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string_view>
#include <sys/mman.h>

#include "abi/vm.h"
#include "runtime/fault.h"
#include "runtime/page_table.h"

namespace cusp::runtime {

using base::ErrorCode;
using base::Result;

namespace {

constexpr std::uint64_t kPage = abi::kHostPageSize;
constexpr std::uint32_t kMostDearPages = 1 << 16;

// Every run that mprotect makes writable inside a protected range adds two mappings, and the process may have only so many
// (vm.max_map_count). Half of them are for write sets.
std::int64_t most_splits() {
  long maps = 65530;
  if (std::FILE* file = std::fopen("/proc/sys/vm/max_map_count", "re")) {
    if (std::fscanf(file, "%ld", &maps) != 1) maps = 65530;
    std::fclose(file);
  }
  return maps / 2;
}

// Made by WriteSet::create(), before a handler can ask.
std::atomic<std::int64_t>& split_budget() {
  static std::atomic<std::int64_t> left{most_splits()};
  return left;
}

Result<WriteTracking> resolve(WriteTracking wanted) {
  if (wanted == WriteTracking::Automatic) {
    // For tests and for finding out what is wrong on a machine.
    const char* forced = std::getenv("CUSP_WRITE_TRACKING");
    std::string_view name = forced ? forced : "";
    if (name == "userfaultfd") wanted = WriteTracking::Userfaultfd;
    else if (name == "mprotect") wanted = WriteTracking::Mprotect;
    else if (name == "scan") wanted = WriteTracking::Scan;
    else wanted = userfaultfd_works() ? WriteTracking::Userfaultfd : WriteTracking::Mprotect;
  }
  if (wanted == WriteTracking::Userfaultfd && !userfaultfd_works())
    return base::fail(
        ErrorCode::Unsupported,
        "userfaultfd with write-protection is not available on this machine (kernel 6.4 or newer, and not "
        "blocked by seccomp); use mprotect write tracking");
  return wanted;
}

template <class T> Result<T*> map_lazily(std::uint64_t bytes) {
  void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) return base::fail_errno("map", "the write set's tables", errno);
  return static_cast<T*>(memory);
}

} // namespace

Result<std::unique_ptr<WriteSet>> WriteSet::create(std::uint8_t* base, std::uint64_t size, WriteTracking tracking) {
  split_budget();
  std::unique_ptr<WriteSet> set(new WriteSet);
  set->tracking_ = CUSP_TRY(resolve(tracking));
  set->base_ = base;
  set->size_ = size;
  set->learned_bits_ = CUSP_TRY(map_lazily<std::uint8_t>(size / kPage / 8 + 1));
  return set;
}

std::int64_t WriteSet::splits_left() { return split_budget(); }
void WriteSet::set_splits_left(std::int64_t splits) { split_budget() = splits; }

WriteSet::~WriteSet() {
  split_budget() += runs_;
  if (learned_bits_) munmap(learned_bits_, size_ / kPage / 8 + 1);
  if (learned_) munmap(learned_, learned_capacity_ * sizeof(Learned));
  if (copies_) munmap(copies_, copies_size_);
}

Result<void> WriteSet::seal(std::span<const Range> ranges) {
  prepare_thread();
  std::uint64_t pages = 0;
  for (const Range& range : ranges) {
    if (range.size == 0) continue;
    ranges_.push_back(range);
    pages += range.size / kPage;
  }
  learned_capacity_ = static_cast<std::uint32_t>(pages);
  learned_ = CUSP_TRY(map_lazily<Learned>(std::max<std::uint64_t>(pages, 1) * sizeof(Learned)));
  CUSP_TRY(keep_copies());
  if (tracking_ == WriteTracking::Userfaultfd)
    for (const Range& range : ranges_) CUSP_TRY(userfaultfd_register(range.begin, range.size));
  CUSP_TRY(protect());
  registration_ = AddressRegistration(write_set_table(), base_, base_ + size_, this);
  return {};
}

Result<void> WriteSet::keep_copies() {
  std::vector<PageRun> runs;
  for (const Range& range : ranges_) CUSP_TRY(find_private_pages(range.begin, range.size, pagemap_scan_works(), runs));
  for (const PageRun& run : runs) copies_size_ += run.size;
  if (copies_size_ == 0) return {};
  copies_ = CUSP_TRY(map_lazily<std::uint8_t>(copies_size_));
  std::sort(runs.begin(), runs.end(), [](const PageRun& a, const PageRun& b) { return a.begin < b.begin; });
  std::uint8_t* to = copies_;
  for (const PageRun& run : runs) {
    std::memcpy(to, run.begin, run.size);
    to += run.size;
    for (std::uint64_t at = 0; at < run.size; at += kPage) copied_.push_back(run.begin + at);
  }
  return {};
}

Result<void> WriteSet::protect() {
  for (const Range& range : ranges_) {
    bool done = true;
    if (tracking_ == WriteTracking::Userfaultfd) done = userfaultfd_protect(range.begin, range.size, true);
    else if (tracking_ == WriteTracking::Mprotect) done = mprotect(range.begin, range.size, PROT_READ) == 0;
    if (!done) return base::fail_errno("write-protect", "a slot", errno);
  }
  return {};
}

const WriteSet::Range* WriteSet::range_of(std::uintptr_t address) const {
  for (const Range& range : ranges_)
    if (address - reinterpret_cast<std::uintptr_t>(range.begin) < range.size) return &range;
  return nullptr;
}

const std::uint8_t* WriteSet::clean_page(const Range& range, std::uint8_t* page) const {
  auto found = std::lower_bound(copied_.begin(), copied_.end(), page);
  if (found != copied_.end() && *found == page)
    return copies_ + static_cast<std::uint64_t>(found - copied_.begin()) * kPage;
  auto offset = static_cast<std::uint64_t>(page - range.begin);
  return offset < range.image_size ? range.image + offset : nullptr;
}

bool WriteSet::is_learned(const std::uint8_t* page) const {
  std::uint64_t index = static_cast<std::uint64_t>(page - base_) / kPage;
  return (learned_bits_[index / 8] >> (index % 8)) & 1;
}

void WriteSet::note(const Range& range, std::uint8_t* page) {
  std::uint64_t index = static_cast<std::uint64_t>(page - base_) / kPage;
  learned_bits_[index / 8] |= static_cast<std::uint8_t>(1u << (index % 8));
  learned_[learned_count_] = {page, clean_page(range, page)};
  learned_count_ = learned_count_ + 1;
}

bool WriteSet::on_write_fault(std::uintptr_t address) {
  const Range* range = range_of(address);
  if (range == nullptr || tracking_ == WriteTracking::Scan) return false;
  auto* page = reinterpret_cast<std::uint8_t*>(address & ~(kPage - 1));
  // A page already open faults for another reason, which trying again would not change.
  if (is_learned(page)) return false;
  if (tracking_ == WriteTracking::Mprotect) return learn_by_mprotect(*range, page);
  if (!userfaultfd_protect(page, kPage, false)) return false;
  note(*range, page);
  return true;
}

// The more a slot is split already, the more pages are opened at once: few pages are told apart exactly, many cheaply.
bool WriteSet::learn_by_mprotect(const Range& range, std::uint8_t* page) {
  std::uint64_t width = (runs_ < 16 ? 1 : runs_ < 64 ? 4 : 16) * kPage;
  std::uint64_t from = static_cast<std::uint64_t>(page - range.begin) / width * width;
  std::uint64_t to = std::min(from + width, range.size);
  std::uint8_t *begin = range.begin + from, *end = range.begin + to;
  bool joins = (from > 0 && is_learned(begin - kPage)) || (to < range.size && is_learned(end));
  if (!joins) {
    if (split_budget().fetch_sub(1, std::memory_order_relaxed) <= 0) {
      split_budget().fetch_add(1, std::memory_order_relaxed);
      return stop_protecting();
    }
    runs_ = runs_ + 1;
  }
  if (mprotect(begin, to - from, PROT_READ | PROT_WRITE) != 0) return stop_protecting();
  for (std::uint8_t* at = begin; at < end; at += kPage)
    if (!is_learned(at)) note(range, at);
  return true;
}

// Too many mappings: opens everything, and from now on reset() looks at the page tables.
bool WriteSet::stop_protecting() {
  tracking_ = WriteTracking::Scan;
  for (const Range& range : ranges_)
    if (mprotect(range.begin, range.size, PROT_READ | PROT_WRITE) != 0) return false;
  split_budget() += runs_;
  runs_ = 0;
  return true;
}

Result<void> WriteSet::reset() {
  if (tracking_ == WriteTracking::Scan) return reset_by_scan();
  std::uint32_t count = learned_count_;
  if (count > dear_pages_) [[unlikely]] {
    // Again so soon: this guest needs it all the time, and learning is dearer than copying.
    if (resets_since_drop_ < 16 && dear_pages_ < kMostDearPages) dear_pages_ *= 2;
    return drop();
  }
  ++resets_since_drop_;
  const Learned* learned = learned_;
  for (std::uint32_t i = 0; i < count; ++i) {
    if (i + 2 < count) __builtin_prefetch(learned[i + 2].clean);
    if (learned[i].clean) std::memcpy(learned[i].page, learned[i].clean, kPage);
    else std::memset(learned[i].page, 0, kPage);
  }
  return {};
}

Result<void> WriteSet::clear_grown(std::uint8_t* begin, std::uint64_t size) {
  std::vector<PageRun>& runs = scanned_;
  runs.clear();
  CUSP_TRY(find_private_pages(begin, size, pagemap_scan_works(), runs));
  std::uint64_t pages = 0;
  for (const PageRun& run : runs) pages += run.size / kPage;
  if (pages > dear_pages_) {
    if (madvise(begin, size, MADV_DONTNEED) != 0) return base::fail_errno("give back", "a slot's memory", errno);
    return {};
  }
  for (const PageRun& run : runs) std::memset(run.begin, 0, run.size);
  return {};
}

Result<void> WriteSet::reset_by_scan() {
  std::vector<PageRun>& runs = scanned_;
  std::uint64_t pages = 0;
  for (const Range& range : ranges_) {
    runs.clear();
    CUSP_TRY(find_private_pages(range.begin, range.size, pagemap_scan_works(), runs));
    for (const PageRun& run : runs) {
      pages += run.size / kPage;
      for (std::uint8_t* page = run.begin; page < run.begin + run.size; page += kPage) {
        if (const std::uint8_t* clean = clean_page(range, page)) std::memcpy(page, clean, kPage);
        else std::memset(page, 0, kPage);
      }
    }
  }
  scanned_pages_ = static_cast<std::uint32_t>(pages);
  if (pages > dear_pages_) return drop();
  return {};
}

Result<void> WriteSet::drop() {
  for (const Range& range : ranges_) {
    bool open = true;
    if (tracking_ == WriteTracking::Userfaultfd) open = userfaultfd_protect(range.begin, range.size, false);
    else if (tracking_ == WriteTracking::Mprotect)
      open = mprotect(range.begin, range.size, PROT_READ | PROT_WRITE) == 0;
    if (!open || madvise(range.begin, range.size, MADV_DONTNEED) != 0)
      return base::fail_errno("give back", "a slot's memory", errno);
  }
  for (std::size_t i = 0; i < copied_.size(); ++i) std::memcpy(copied_[i], copies_ + i * kPage, kPage);
  for (std::uint32_t i = 0; i < learned_count_; ++i) {
    std::uint64_t index = static_cast<std::uint64_t>(learned_[i].page - base_) / kPage;
    learned_bits_[index / 8] = 0;
  }
  if (learned_count_) madvise(learned_, learned_capacity_ * sizeof(Learned), MADV_DONTNEED);
  learned_count_ = 0;
  split_budget() += runs_;
  runs_ = 0;
  resets_since_drop_ = 0;
  return protect();
}

} // namespace cusp::runtime
