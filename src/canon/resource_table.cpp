#include "canon/resource.h"

#include "canon/error_context.h"
#include "canon/task.h"

namespace cusp::canon {

std::uint32_t ResourceTable::add(const TableEntry& entry) {
  std::uint32_t index = first_free_;
  if (index) {
    first_free_ = entries_[index].next_free;
    entries_[index] = entry;
  } else {
    if (entries_.size() > max_length_) return 0;
    index = static_cast<std::uint32_t>(entries_.size());
    entries_.push_back(entry);
  }
  ++alive_;
  return index;
}

void ResourceTable::remove(std::uint32_t index) {
  TableEntry free;
  free.next_free = first_free_;
  entries_[index] = free;
  first_free_ = index;
  --alive_;
}

void ResourceTable::clear() {
  // Newest first: what was made from something goes before it. An entry is taken out before its destructor runs.
  while (entries_.size() > 1) {
    TableEntry entry = entries_.back();
    entries_.pop_back();
    switch (entry.kind) {
    case TableEntry::Kind::Resource:
      if (entry.own && entry.type->destroy) entry.type->destroy(*entry.type, entry.rep);
      break;
    case TableEntry::Kind::Waitable: entry.waitable->release(); break;
    case TableEntry::Kind::WaitableSet: delete entry.waitable_set; break;
    case TableEntry::Kind::ErrorContext: entry.error_context->drop_reference(); break;
    case TableEntry::Kind::Free: break;
    }
  }
  first_free_ = alive_ = 0;
}

} // namespace cusp::canon
