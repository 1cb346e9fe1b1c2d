#include "runtime/exception_heap.h"

#include <algorithm>
#include <cstdlib>

namespace cusp::runtime {

namespace {

constexpr std::uint64_t kChunk = 16 * 1024;

// Exception::reserved of a live object; of a free one (tag null) it is the next free object.
constexpr std::uint64_t kMarked = 1, kSealed = 2;

std::uint32_t object_size(std::uint32_t values) {
  return static_cast<std::uint32_t>(sizeof(abi::Exception) + sizeof(abi::ValRaw) * std::uint64_t{values});
}

} // namespace

void ExceptionHeap::Free::operator()(void* memory) const { std::free(memory); }

std::uint64_t ExceptionHeap::chunk_bytes(std::uint32_t values) {
  return std::max<std::uint64_t>(kChunk, object_size(values)) / object_size(values) * object_size(values);
}

ExceptionHeap::FreeList& ExceptionHeap::free_list(std::uint32_t object_bytes) {
  for (FreeList& list : free_)
    if (list.object_bytes == object_bytes) return list;
  return free_.emplace_back(FreeList{object_bytes, nullptr});
}

void ExceptionHeap::release(FreeList& list, abi::Exception* object) {
  object->tag = nullptr;
  object->reserved = reinterpret_cast<std::uint64_t>(list.first);
  list.first = object;
}

abi::Exception* ExceptionHeap::allocate(std::uint32_t values) {
  FreeList& list = free_list(object_size(values));
  abi::Exception* object = list.first;
  if (!object) return nullptr;
  list.first = reinterpret_cast<abi::Exception*>(object->reserved);
  object->reserved = 0;
  return object;
}

bool ExceptionHeap::grow(std::uint32_t values) {
  const std::uint64_t bytes = chunk_bytes(values);
  Chunk chunk;
  chunk.memory.reset(std::aligned_alloc(16, bytes));
  if (!chunk.memory) return false;
  chunk.begin = reinterpret_cast<std::uintptr_t>(chunk.memory.get());
  chunk.object_bytes = object_size(values);
  chunk.objects = static_cast<std::uint32_t>(bytes / chunk.object_bytes);
  FreeList& list = free_list(chunk.object_bytes);
  for (std::uint32_t i = chunk.objects; i-- != 0;) release(list, chunk.object(i));
  in_use_ += bytes;
  chunks_.insert(std::ranges::upper_bound(chunks_, chunk.begin, {}, &Chunk::begin), std::move(chunk));
  return true;
}

abi::Exception* ExceptionHeap::object_at(std::uintptr_t word) const {
  if (chunks_.empty() || word < chunks_.front().begin || word >= chunks_.back().end()) return nullptr;
  const Chunk& chunk = *std::prev(std::ranges::upper_bound(chunks_, word, {}, &Chunk::begin));
  if (word >= chunk.end()) return nullptr;
  abi::Exception* object = chunk.object(static_cast<std::uint32_t>((word - chunk.begin) / chunk.object_bytes));
  return object->tag ? object : nullptr;
}

void ExceptionHeap::mark(std::uintptr_t word) {
  abi::Exception* object = object_at(word);
  if (!object || (object->reserved & kMarked) != 0) return;
  object->reserved |= kMarked;
  to_trace_.push_back(object);
  trace();
}

// A stack is read across the borders of its frames and variables.
[[gnu::no_sanitize("address")]] void ExceptionHeap::mark_range(const void* begin, const void* end) {
  for (auto* at = static_cast<const std::uintptr_t*>(begin); at < end; ++at) mark(*at);
}

// Exceptions that exceptions refer to, without recursion: a guest may chain as many as it likes.
void ExceptionHeap::trace() {
  if (to_trace_.size() != 1) return; // called from below
  for (std::size_t next = 0; next < to_trace_.size(); ++next) {
    const abi::Exception* object = to_trace_[next];
    const Chunk& chunk =
        *std::prev(std::ranges::upper_bound(chunks_, reinterpret_cast<std::uintptr_t>(object), {}, &Chunk::begin));
    mark_range(object + 1, reinterpret_cast<const std::byte*>(object) + chunk.object_bytes);
  }
  to_trace_.clear();
}

// Free lists anew; chunks with nothing in them go back to the system.
template <class Keep> void ExceptionHeap::keep_only(Keep keep) {
  free_.clear();
  std::erase_if(chunks_, [&](const Chunk& chunk) {
    bool any = false;
    for (std::uint32_t i = 0; i < chunk.objects; ++i) any = any || (chunk.object(i)->tag && keep(*chunk.object(i)));
    if (any) return false;
    in_use_ -= chunk.end() - chunk.begin;
    return true;
  });
  for (const Chunk& chunk : chunks_) {
    FreeList& list = free_list(chunk.object_bytes);
    for (std::uint32_t i = chunk.objects; i-- != 0;) {
      abi::Exception* object = chunk.object(i);
      if (object->tag && keep(*object)) object->reserved &= ~kMarked;
      else release(list, object);
    }
  }
}

std::uint64_t ExceptionHeap::sweep() {
  const std::uint64_t before = in_use_;
  keep_only([](const abi::Exception& object) { return (object.reserved & (kMarked | kSealed)) != 0; });
  threshold_ = std::max(kFirstThreshold, 2 * in_use_);
  return before - in_use_;
}

void ExceptionHeap::seal() {
  for (const Chunk& chunk : chunks_)
    for (std::uint32_t i = 0; i < chunk.objects; ++i)
      if (chunk.object(i)->tag) chunk.object(i)->reserved |= kSealed;
}

void ExceptionHeap::reset() {
  if (chunks_.empty()) return;
  keep_only([](const abi::Exception& object) { return (object.reserved & kSealed) != 0; });
  threshold_ = kFirstThreshold;
}

} // namespace cusp::runtime
