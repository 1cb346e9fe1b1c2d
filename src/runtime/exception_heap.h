// Where a store's exceptions live. An exnref is the address of its object, which never moves and stays for as long as anything
// refers to it: objects that a search of the stack, globals, tables and other exceptions does not find are used again. The search is
// conservative (a word that looks like a reference is one, interior pointers too), runs only when the space used has doubled, and
// costs a store that throws nothing.
// Owned by a store, used by its thread. What was there at seal() stays; reset() drops the rest. Charging limits and finding roots is the
// caller's (exceptions.cpp). Payload values lie 16 bytes apart behind each header, for other searches too.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "abi/vm.h"

namespace cusp::runtime {

class ExceptionHeap {
public:
  // For a payload of this many values; nullptr: there is no free object of the size, collect or grow.
  abi::Exception* allocate(std::uint32_t values);
  // One more chunk for objects of the size. False: the system has no memory.
  bool grow(std::uint32_t values);
  static std::uint64_t chunk_bytes(std::uint32_t values);

  bool wants_collection() const { return in_use_ >= threshold_; }
  // A collection: begin, mark everything reachable, sweep. sweep() returns the bytes given back.
  void mark(std::uintptr_t word);
  void mark_range(const void* begin, const void* end); // 8-aligned
  std::uint64_t sweep();

  // each(begin, end) for the payload of every object that is not free: what may refer to other heaps.
  template <class Each> void each_payload(Each each) const {
    for (const Chunk& chunk : chunks_)
      for (std::uint32_t i = 0; i < chunk.objects; ++i)
        if (const abi::Exception* object = chunk.object(i); object->tag)
          each(object + 1, reinterpret_cast<const std::byte*>(object) + chunk.object_bytes);
  }

  void seal();
  void reset();
  std::uint64_t bytes_in_use() const { return in_use_; }

private:
  struct Free {
    void operator()(void* memory) const;
  };
  struct Chunk {
    std::unique_ptr<void, Free> memory;
    std::uintptr_t begin = 0;
    std::uint32_t object_bytes = 0, objects = 0;
    abi::Exception* object(std::uint32_t i) const {
      return reinterpret_cast<abi::Exception*>(begin + std::uint64_t{i} * object_bytes);
    }
    std::uintptr_t end() const { return begin + std::uint64_t{objects} * object_bytes; }
  };
  struct FreeList {
    std::uint32_t object_bytes = 0;
    abi::Exception* first = nullptr;
  };
  FreeList& free_list(std::uint32_t object_bytes);
  static void release(FreeList& list, abi::Exception* object);
  template <class Keep> void keep_only(Keep keep);
  abi::Exception* object_at(std::uintptr_t word) const;
  void trace();

  std::vector<Chunk> chunks_; // by address
  std::vector<FreeList> free_;
  std::vector<abi::Exception*> to_trace_;
  std::uint64_t in_use_ = 0, threshold_ = kFirstThreshold;
  static constexpr std::uint64_t kFirstThreshold = 64 * 1024;
};

} // namespace cusp::runtime
