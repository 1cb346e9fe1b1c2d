// The heap of one store: objects that never move, found again by conservative marking. It lies at the start of an address
// space of its own (in a slot: a part of the slot's) and holds everything it knows there, this struct first: what puts
// the bytes back, as a slot's reset does, puts the heap back. References are offsets from it (abi/gc.h).
//
//   GcHeap, block table (one word per block), blocks of kBlockBytes
//
// A small block holds cells of one size class behind its header; a large object has blocks of its own. Allocation bumps a
// cursor through a run of free cells, then looks for the next run, which is zeroed as it is found (a page at most, for the
// sake of slots): free is what the last collection left unmarked, so that sweeping only turns mark bits into allocation
// bits.
// Used by the thread of the store. Collection is gc_collect.cpp's: here is what an address means, and nothing of roots.
// Never: runs guest code, moves an object, gives pages back (a store's end or a slot's reset does).
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "abi/gc.h"
#include "runtime/address_space.h"

namespace cusp::runtime {

class GcHeap {
public:
  static constexpr std::uint32_t kBlockShift = 15, kBlockBytes = 1u << kBlockShift;
  static constexpr std::uint64_t kMaxBytes = (std::uint64_t{4} << 30) - kBlockBytes; // ends have 32 bits too
  static constexpr std::uint32_t kFirstBlocks = 8;                                   // open from the start

  // Address space for a heap that may grow to `most` bytes; whole blocks.
  static std::uint64_t space_for(std::uint64_t most);
  // REQUIRES: [base, base + space) reserved, untouched, block-aligned in size. Opens the first pages. Error: LimitExceeded.
  static base::Result<GcHeap*> create(std::uint8_t* base, std::uint64_t space);

  // The offset of `bytes` bytes, zeroed; 0: there is no room among the open blocks, or a collection is due.
  std::uint32_t allocate(std::uint64_t bytes) {
    if (bytes > abi::kGcMaxSmall) [[unlikely]]
      return allocate_large(bytes);
    const std::uint32_t which = abi::gc_class_of(static_cast<std::uint32_t>(bytes));
    abi::GcRun& run = runs_[which];
    if (run.cursor == run.end && !next_run(which)) [[unlikely]]
      return 0;
    const std::uint32_t at = run.cursor;
    run.cursor = at + abi::kGcCellBytes[which];
    return at;
  }
  // As many bytes were allocated since the last collection as were alive then, or more.
  bool collection_due() const { return taken_bytes_ >= due_bytes_; }
  // Another amount of allocation after which one is due, until the next; returns the one before.
  std::uint64_t set_due(std::uint64_t bytes) { return std::exchange(due_bytes_, bytes); }

  // Opens blocks for an object of `bytes` more, in steps; 0: not within `allowed` bytes, or the system refuses.
  // Otherwise how many bytes are open in addition.
  std::uint64_t grow(std::uint64_t bytes, std::uint64_t allowed);
  std::uint64_t committed() const { return committed_; } // bytes from the start, open
  // The largest object that an empty heap could hold.
  std::uint64_t largest_object() const;

  // Takes the rest of all runs as used, until the next collection: guest code was stopped anywhere, perhaps with a cell
  // half taken.
  void retire_runs();

  // Marking: begin, any number of marks, each followed in time by its objects' references, sweep.
  void begin_marking();
  // `offset` may be anything. If it leads into an object that is not marked yet, marks it and puts it on `grey`.
  void mark(std::uint64_t offset, std::vector<std::uint32_t>& grey);
  void sweep();

  std::uint8_t* base() { return reinterpret_cast<std::uint8_t*>(this); }
  abi::GcHeader& header(std::uint32_t offset) { return *reinterpret_cast<abi::GcHeader*>(base() + offset); }
  std::uint64_t live_bytes() const { return live_bytes_; } // after the last collection
  std::uint32_t collections() const { return collections_; }

private:
  enum class Kind : std::uint32_t { Free, Small, Large, Tail };
  // The table's word for a block: its kind; a large object's number of blocks, or how far back it starts.
  struct BlockWord {
    std::uint32_t kind : 2;
    std::uint32_t count : 30;
  };
  static constexpr std::uint32_t kBitWords = kBlockBytes / abi::kGcAlign / 64;
  struct Block {
    std::uint32_t size_class;
    std::uint32_t cells;
    std::uint32_t free_index;   // cells before it are allocated; later ones when their bit says so
    std::uint32_t next;         // in the list of its class that have free cells; 0: none
    std::uint32_t object_bytes; // large
    std::uint32_t is_marked;    // large
    std::uint64_t reserved;
    std::uint64_t allocated[kBitWords];
    std::uint64_t marked[kBitWords];
  };
  static constexpr std::uint32_t kCellsAt = sizeof(Block);
  static_assert(kCellsAt % abi::kGcAlign == 0);
  struct SizeClass {
    std::uint32_t block;   // that the run is in; 0: none
    std::uint32_t partial; // first block of those with free cells
  };

  BlockWord& word(std::uint32_t block) { return reinterpret_cast<BlockWord*>(this + 1)[block]; }
  Block& block(std::uint32_t index) {
    return *reinterpret_cast<Block*>(base() + (std::uint64_t{index} << kBlockShift));
  }
  std::uint32_t blocks() const { return static_cast<std::uint32_t>(committed_ >> kBlockShift); }
  bool next_run(std::uint32_t which);
  bool find_run(std::uint32_t which, std::uint32_t index);
  std::uint32_t find_free_blocks(std::uint32_t count);
  std::uint32_t allocate_large(std::uint64_t bytes);
  void sweep_small(std::uint32_t index);
  void close_runs();

  abi::GcRun runs_[abi::kGcClasses]; // first: abi/gc.h
  std::uint64_t committed_, reserved_;
  std::uint64_t taken_bytes_, due_bytes_, live_bytes_;
  std::uint32_t first_block_;
  std::uint32_t free_hint_; // no block before it is free
  std::uint32_t collections_;
  SizeClass classes_[abi::kGcClasses];
};

} // namespace cusp::runtime
