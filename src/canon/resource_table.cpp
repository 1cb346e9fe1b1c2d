#include "canon/resource.h"

#include <algorithm>
#include <utility>

#include "canon/error_context.h"
#include "canon/task.h"

namespace cusp::canon {

std::uint32_t ResourceTable::add(const HandleEntry& entry) {
  std::uint32_t index = first_free;
  if (index) {
    first_free = entries[index].next_free;
  } else {
    index = length ? length : 1;
    if (index > max_length_) return 0;
    if (index >= storage_.size()) grow();
    length = index + 1;
  }
  entries[index] = entry;
  ++alive;
  return index;
}

void ResourceTable::grow() {
  storage_.resize(std::max<std::size_t>(16, storage_.size() * 2));
  entries = storage_.data();
}

void ResourceTable::remove(std::uint32_t index) {
  HandleEntry free;
  free.next_free = first_free;
  entries[index] = free;
  first_free = index;
  --alive;
}

void ResourceTable::clear() {
  // Newest first: what was made from something goes before it. An entry is taken out before its destructor runs.
  while (length > 1) {
    HandleEntry entry = std::exchange(entries[--length], {});
    switch (entry.kind) {
    case HandleKind::Resource:
      if (entry.own && type_of(entry).destroy) type_of(entry).destroy(type_of(entry), entry.rep);
      break;
    case HandleKind::Waitable: waitable_of(entry)->release(); break;
    case HandleKind::WaitableSet: delete waitable_set_of(entry); break;
    case HandleKind::ErrorContext: error_context_of(entry)->drop_reference(); break;
    case HandleKind::Free: break;
    }
  }
  first_free = alive = 0;
}

} // namespace cusp::canon
