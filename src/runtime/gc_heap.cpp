#include "runtime/gc_heap.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <new>

#include "abi/vm.h"

namespace cusp::runtime {

namespace {

constexpr std::uint64_t kLeastDue = std::uint64_t{1} << 20; // a collection costs more than this much garbage

} // namespace

std::uint64_t GcHeap::space_for(std::uint64_t most) {
  most = std::clamp<std::uint64_t>(most, 2 * kFirstBlocks * kBlockBytes, kMaxBytes);
  return most >> kBlockShift << kBlockShift;
}

base::Result<GcHeap*> GcHeap::create(std::uint8_t* base, std::uint64_t space) {
  const std::uint64_t table = sizeof(GcHeap) + (space >> kBlockShift) * sizeof(BlockWord);
  const auto first = static_cast<std::uint32_t>((table + kBlockBytes - 1) >> kBlockShift);
  const std::uint64_t open = std::min<std::uint64_t>(std::uint64_t{first + kFirstBlocks} << kBlockShift, space);
  CUSP_TRY(open_pages(base, open));
  auto* heap = new (base) GcHeap; // of zero pages
  heap->committed_ = open;
  heap->reserved_ = space;
  heap->taken_bytes_ = heap->live_bytes_ = 0;
  heap->due_bytes_ = kLeastDue;
  heap->first_block_ = heap->free_hint_ = first;
  heap->collections_ = 0;
  std::fill_n(heap->runs_, abi::kGcClasses, abi::GcRun{});
  std::fill_n(heap->classes_, abi::kGcClasses, SizeClass{});
  return heap;
}

std::uint64_t GcHeap::largest_object() const {
  return reserved_ - (std::uint64_t{first_block_} << kBlockShift) - kCellsAt;
}

std::uint64_t GcHeap::grow(std::uint64_t bytes, std::uint64_t allowed) {
  const std::uint64_t needed = (bytes + kCellsAt + kBlockBytes - 1) >> kBlockShift << kBlockShift;
  const std::uint64_t step = std::max<std::uint64_t>(kFirstBlocks * kBlockBytes, committed_ / 8);
  std::uint64_t most = std::min(allowed, reserved_ - committed_) >> kBlockShift << kBlockShift;
  if (needed > most) return 0;
  std::uint64_t added = std::min(std::max(needed, step) >> kBlockShift << kBlockShift, most);
  if (!open_pages(base() + committed_, added)) return 0;
  committed_ += added;
  return added;
}

// ---- allocation ----

bool GcHeap::find_run(std::uint32_t which, std::uint32_t index) {
  Block& in = block(index);
  auto is_allocated = [&](std::uint32_t cell) { return (in.allocated[cell / 64] >> cell % 64 & 1) != 0; };
  std::uint32_t from = in.free_index;
  while (from < in.cells && is_allocated(from)) {
    // Whole words at a time.
    const std::uint64_t rest = ~(in.allocated[from / 64] >> from % 64); // its lowest 1: the next free cell
    from += std::min<std::uint32_t>(static_cast<std::uint32_t>(std::countr_zero(rest)), 64 - from % 64);
  }
  if (from >= in.cells) {
    in.free_index = in.cells;
    return false;
  }
  const std::uint32_t cell = abi::kGcCellBytes[which], start = (index << kBlockShift) + kCellsAt;
  const std::uint32_t most = std::max<std::uint32_t>(abi::kHostPageSize / cell, 1);
  std::uint32_t to = from + 1;
  while (to < in.cells && to - from < most && !is_allocated(to)) ++to;
  in.free_index = to; // of the run itself, the cursor tells
  classes_[which].block = index;
  runs_[which] = {start + from * cell, start + to * cell};
  std::memset(base() + runs_[which].cursor, 0, (to - from) * cell);
  taken_bytes_ += std::uint64_t{to - from} * cell;
  return true;
}

bool GcHeap::next_run(std::uint32_t which) {
  if (collection_due()) return false;
  SizeClass& size_class = classes_[which];
  if (size_class.block != 0 && find_run(which, size_class.block)) return true;
  while (size_class.partial != 0) {
    const std::uint32_t index = size_class.partial;
    size_class.partial = block(index).next;
    if (find_run(which, index)) return true;
  }
  size_class.block = 0;
  const std::uint32_t index = find_free_blocks(1);
  if (index == 0) return false;
  word(index) = {static_cast<std::uint32_t>(Kind::Small), 0};
  Block& fresh = block(index);
  fresh = {};
  fresh.size_class = which;
  fresh.cells = (kBlockBytes - kCellsAt) / abi::kGcCellBytes[which];
  return find_run(which, index);
}

// The first of `count` free blocks in a row; 0: there are none.
std::uint32_t GcHeap::find_free_blocks(std::uint32_t count) {
  const std::uint32_t end = blocks();
  std::uint32_t run = 0;
  while (free_hint_ < end && word(free_hint_).kind != static_cast<std::uint32_t>(Kind::Free)) ++free_hint_;
  for (std::uint32_t at = free_hint_; at < end; ++at) {
    run = word(at).kind == static_cast<std::uint32_t>(Kind::Free) ? run + 1 : 0;
    if (run == count) return at + 1 - count;
  }
  return 0;
}

std::uint32_t GcHeap::allocate_large(std::uint64_t bytes) {
  if (bytes > largest_object() || collection_due()) return 0;
  const auto count = static_cast<std::uint32_t>((bytes + kCellsAt + kBlockBytes - 1) >> kBlockShift);
  const std::uint32_t index = find_free_blocks(count);
  if (index == 0) return 0;
  word(index) = {static_cast<std::uint32_t>(Kind::Large), count};
  for (std::uint32_t i = 1; i < count; ++i) word(index + i) = {static_cast<std::uint32_t>(Kind::Tail), i};
  Block& head = block(index);
  head.object_bytes = static_cast<std::uint32_t>(bytes);
  head.is_marked = 0;
  taken_bytes_ += std::uint64_t{count} << kBlockShift;
  const std::uint32_t at = (index << kBlockShift) + kCellsAt;
  std::memset(base() + at, 0, bytes);
  return at;
}

void GcHeap::retire_runs() {
  for (abi::GcRun& run : runs_) run.cursor = run.end;
}

// ---- collection ----

// Tells the blocks of runs in use how far these were used.
void GcHeap::close_runs() {
  for (std::uint32_t which = 0; which < abi::kGcClasses; ++which) {
    SizeClass& size_class = classes_[which];
    abi::GcRun& run = runs_[which];
    if (run.cursor != run.end)
      block(size_class.block).free_index =
          (run.cursor - (size_class.block << kBlockShift) - kCellsAt) / abi::kGcCellBytes[which];
    run = {};
    size_class = {};
  }
}

void GcHeap::begin_marking() { close_runs(); }

void GcHeap::mark(std::uint64_t offset, std::vector<std::uint32_t>& grey) {
  if (offset >= committed_) return;
  auto index = static_cast<std::uint32_t>(offset >> kBlockShift);
  if (index < first_block_) return;
  const BlockWord what = word(index);
  switch (static_cast<Kind>(what.kind)) {
  case Kind::Free: return;
  case Kind::Tail: index -= what.count; [[fallthrough]];
  case Kind::Large: {
    Block& head = block(index);
    const std::uint64_t start = (std::uint64_t{index} << kBlockShift) + kCellsAt;
    if (offset < start || head.is_marked != 0) return;
    head.is_marked = 1;
    grey.push_back(static_cast<std::uint32_t>(start));
    return;
  }
  case Kind::Small: break;
  }
  Block& in = block(index);
  const std::uint32_t inside = static_cast<std::uint32_t>(offset) & (kBlockBytes - 1);
  if (inside < kCellsAt) return;
  const std::uint32_t bytes = abi::kGcCellBytes[in.size_class], cell = (inside - kCellsAt) / bytes;
  if (cell >= in.cells) return;
  const std::uint64_t bit = std::uint64_t{1} << cell % 64;
  if (cell >= in.free_index && (in.allocated[cell / 64] & bit) == 0) return;
  if ((in.marked[cell / 64] & bit) != 0) return;
  in.marked[cell / 64] |= bit;
  grey.push_back((index << kBlockShift) + kCellsAt + cell * bytes);
}

void GcHeap::sweep_small(std::uint32_t index) {
  Block& in = block(index);
  std::uint32_t live = 0;
  for (std::uint32_t i = 0; i < kBitWords; ++i) {
    live += static_cast<std::uint32_t>(std::popcount(in.marked[i]));
    in.allocated[i] = in.marked[i];
    in.marked[i] = 0;
  }
  in.free_index = 0;
  if (live == 0) {
    word(index) = {};
    return;
  }
  live_bytes_ += std::uint64_t{live} * abi::kGcCellBytes[in.size_class];
  if (live == in.cells) return;
  in.next = classes_[in.size_class].partial;
  classes_[in.size_class].partial = index;
}

void GcHeap::sweep() {
  live_bytes_ = 0;
  // From the end, so that the lists begin with the lowest blocks.
  for (std::uint32_t index = blocks(); index-- > first_block_;) {
    const BlockWord what = word(index);
    if (what.kind == static_cast<std::uint32_t>(Kind::Small)) sweep_small(index);
    if (what.kind != static_cast<std::uint32_t>(Kind::Large)) continue;
    Block& head = block(index);
    if (head.is_marked != 0) {
      head.is_marked = 0;
      live_bytes_ += std::uint64_t{what.count} << kBlockShift;
    } else {
      for (std::uint32_t i = 0; i < what.count; ++i) word(index + i) = {};
    }
  }
  free_hint_ = first_block_;
  taken_bytes_ = 0;
  due_bytes_ = std::max(kLeastDue, live_bytes_);
  ++collections_;
}

} // namespace cusp::runtime
