#include "runtime/type_registry.h"

#include <deque>
#include <map>
#include <mutex>
#include <sys/mman.h>

#include <fmt/format.h>

#include "wasm/types.h"

namespace cusp::runtime {

using wasm::AbstractHeapType;
using wasm::HeapType;
using wasm::ValType;

namespace {

constexpr std::uint32_t kMaxTypes = 1u << 20; // of the process; their records take address space only
// Marks, inside a key, a type of the group itself.
constexpr std::uint32_t kInGroup = 1u << 26;

constexpr std::uint32_t kNoSupers[abi::kMaxSubtypeDepth + 1] = {};

using Key = std::vector<std::uint32_t>;

template <class Change> std::uint32_t map_value(std::uint32_t raw, Change change) {
  const auto type = ValType::from_raw(raw);
  if (!type.is_ref() || !type.heap().is_concrete()) return raw;
  return ValType::ref(type.is_nullable(), HeapType(wasm::TypeIndex(change(type.heap().index().value)))).raw();
}

// What the registry keeps of one type beyond its record.
struct Entry {
  abi::TypeKind kind{};
  bool is_final = true;
  std::uint32_t depth = 0;
  artifact::FuncTypeMeta func; // canonical
  GcShape shape;
  std::vector<std::uint32_t> all_supers; // deep types only
};

GcShape shape_of_members(abi::TypeKind kind, std::span<const artifact::FieldMeta> members) {
  GcShape shape{.kind = kind, .size = 0, .element = {}, .any = {}, .externs = {}};
  if (kind == abi::TypeKind::Array) {
    shape.element = members[0].storage;
    shape.size = abi::storage_size(shape.element);
    return shape;
  }
  abi::GcStructLayout layout;
  for (const artifact::FieldMeta& field : members) {
    const std::uint32_t offset = layout.add(field.storage);
    if (field.storage == abi::GcStorage::Any) shape.any.push_back(offset);
    if (field.storage == abi::GcStorage::Extern) shape.externs.push_back(offset);
  }
  shape.size = layout.size();
  return shape;
}

class Registry {
public:
  static Registry& instance() {
    static auto* const registry = new Registry;
    return *registry;
  }
  abi::TypeRecord* records() const { return records_; }
  const Entry& entry(std::uint32_t id) const {
    std::lock_guard lock(mutex_);
    return entries_[id >> 2];
  }

  // Ids of a recursion group; `known`: of the module's types before it.
  bool intern(std::span<const artifact::TypeMeta> group, std::vector<std::uint32_t>& known) {
    const auto start = static_cast<std::uint32_t>(known.size());
    Key key;
    for (const artifact::TypeMeta& type : group) append(key, type, known, start);
    std::lock_guard lock(mutex_);
    auto found = groups_.find(key);
    const bool is_new = found == groups_.end();
    if (is_new) {
      if (!records_ || group.size() > kMaxTypes - entries_.size()) return false;
      found = groups_.emplace(std::move(key), static_cast<std::uint32_t>(entries_.size())).first;
    }
    // All ids first, for types of the group name each other.
    std::uint32_t serial = found->second;
    for (const artifact::TypeMeta& type : group) known.push_back(serial++ << 2 | static_cast<std::uint32_t>(type.kind));
    for (std::size_t i = 0; is_new && i < group.size(); ++i) add(group[i], known[start + i], known);
    return true;
  }

private:
  Registry() {
    void* memory = mmap(nullptr, kMaxTypes * sizeof(abi::TypeRecord), PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory != MAP_FAILED) records_ = static_cast<abi::TypeRecord*>(memory);
    entries_.emplace_back(); // serial 0 is nobody's
  }

  static void append(Key& key, const artifact::TypeMeta& type, std::span<const std::uint32_t> known,
                     std::uint32_t start) {
    auto index = [&](std::uint32_t at) { return at < start ? known[at] : kInGroup | (at - start); };
    key.push_back(static_cast<std::uint32_t>(type.kind) | (type.is_final ? 4u : 0) | (type.supertype ? 8u : 0));
    if (type.supertype) key.push_back(index(*type.supertype));
    for (const auto* list : {&type.func.params, &type.func.results}) {
      key.push_back(static_cast<std::uint32_t>(list->size()));
      for (std::uint32_t raw : *list) key.push_back(map_value(raw, index));
    }
    key.push_back(static_cast<std::uint32_t>(type.members.size()));
    for (const artifact::FieldMeta& field : type.members) {
      key.push_back(map_value(field.type, index));
      key.push_back(static_cast<std::uint32_t>(field.storage) << 1 | (field.is_mutable ? 1u : 0));
    }
  }

  void add(const artifact::TypeMeta& type, std::uint32_t id, std::span<const std::uint32_t> known) {
    Entry& entry = entries_.emplace_back();
    entry.kind = type.kind;
    entry.is_final = type.is_final;
    auto canonical = [&](std::uint32_t raw) { return map_value(raw, [&](std::uint32_t at) { return known[at]; }); };
    for (std::uint32_t raw : type.func.params) entry.func.params.push_back(canonical(raw));
    for (std::uint32_t raw : type.func.results) entry.func.results.push_back(canonical(raw));
    if (type.kind != abi::TypeKind::Func) entry.shape = shape_of_members(type.kind, type.members);

    abi::TypeRecord& record = records_[id >> 2];
    record.shape = &entry.shape;
    record.all_supers = kNoSupers;
    std::vector<std::uint32_t> supers(abi::kMaxSubtypeDepth + 1);
    if (type.supertype) {
      const std::uint32_t super = known[*type.supertype];
      const Entry& above = entries_[super >> 2];
      entry.depth = std::min(above.depth + 1, abi::kMaxSubtypeDepth);
      std::copy_n(records_[super >> 2].supers, abi::kInlineSupers, supers.begin());
      std::copy(above.all_supers.begin(), above.all_supers.end(), supers.begin());
    }
    supers[entry.depth] = id;
    std::copy_n(supers.begin(), abi::kInlineSupers, record.supers);
    if (entry.depth < abi::kInlineSupers) return;
    entry.all_supers = std::move(supers);
    record.all_supers = entry.all_supers.data();
  }

  mutable std::mutex mutex_;
  std::map<Key, std::uint32_t> groups_; // the serial of a group's first type
  std::deque<Entry> entries_;           // by serial
  abi::TypeRecord* records_ = nullptr;
};

ValType value(std::uint32_t canonical) { return ValType::from_raw(canonical); }

abi::TypeKind kind_of(std::uint32_t id) { return static_cast<abi::TypeKind>(id & abi::kTypeKindMask); }

AbstractHeapType top_of(HeapType type) {
  using enum AbstractHeapType;
  if (type.is_concrete()) return kind_of(type.index().value) == abi::TypeKind::Func ? Func : Any;
  switch (type.abstract()) {
  case Func:
  case NoFunc: return Func;
  case Extern:
  case NoExtern: return Extern;
  case Exn:
  case NoExn: return Exn;
  default: return Any;
  }
}

bool is_heap_subtype(HeapType sub, HeapType super) {
  using enum AbstractHeapType;
  if (sub == super) return true;
  if (super.is_concrete()) {
    if (sub.is_concrete()) return is_type_subtype(sub.index().value, super.index().value);
    return sub.abstract() == (top_of(super) == Func ? NoFunc : None);
  }
  const AbstractHeapType top = super.abstract();
  if (sub.is_concrete()) {
    switch (kind_of(sub.index().value)) {
    case abi::TypeKind::Func: return top == Func;
    case abi::TypeKind::Struct: return top == Struct || top == Eq || top == Any;
    default: return top == Array || top == Eq || top == Any;
    }
  }
  switch (sub.abstract()) {
  case None: return top_of(super) == Any;
  case NoFunc: return top == Func;
  case NoExtern: return top == Extern;
  case NoExn: return top == Exn;
  case I31:
  case Struct:
  case Array: return top == Eq || top == Any;
  case Eq: return top == Any;
  default: return false;
  }
}

} // namespace

base::Result<std::vector<std::uint32_t>> intern_types(std::span<const artifact::TypeMeta> types) {
  std::vector<std::uint32_t> ids;
  ids.reserve(types.size());
  for (std::size_t i = 0; i < types.size();) {
    if (types[i].canonical != i) {
      ids.push_back(ids[types[i].canonical]);
      ++i;
      continue;
    }
    std::size_t end = i + 1;
    while (end < types.size() && types[end].rec_group == types[i].rec_group) ++end;
    if (!Registry::instance().intern(types.subspan(i, end - i), ids))
      return base::fail(base::ErrorCode::LimitExceeded,
                        fmt::format("the process has more than {} WebAssembly types", kMaxTypes));
    i = end;
  }
  return ids;
}

std::uint32_t intern_type(const artifact::FuncTypeMeta& type) {
  artifact::TypeMeta whole;
  whole.func = type;
  std::vector<std::uint32_t> ids;
  return Registry::instance().intern({&whole, 1}, ids) ? ids[0] : 0;
}

const abi::TypeRecord* type_records() {
  static const abi::TypeRecord* const records = Registry::instance().records();
  return records;
}

std::string type_text(std::uint32_t id) {
  const Entry& entry = Registry::instance().entry(id);
  if (entry.kind != abi::TypeKind::Func) return fmt::format("type {}", id);
  wasm::FuncType type;
  for (std::uint32_t raw : entry.func.params) type.params.push_back(value(raw));
  for (std::uint32_t raw : entry.func.results) type.results.push_back(value(raw));
  return type.to_string();
}

bool is_type_subtype(std::uint32_t sub, std::uint32_t super) {
  if (sub == super) return true;
  const std::uint32_t depth = Registry::instance().entry(super).depth;
  const abi::TypeRecord& record = type_records()[sub >> 2];
  return (depth < abi::kInlineSupers ? record.supers[depth] : record.all_supers[depth]) == super;
}

std::uint32_t canonical_value(std::uint32_t raw, std::span<const std::uint32_t> ids) {
  return map_value(raw, [&](std::uint32_t at) { return ids[at]; });
}

bool is_value_subtype(std::uint32_t sub_raw, std::uint32_t super_raw) {
  const ValType sub = value(sub_raw), super = value(super_raw);
  if (sub == super) return true;
  if (!sub.is_ref() || !super.is_ref() || (sub.is_nullable() && !super.is_nullable())) return false;
  return is_heap_subtype(sub.heap(), super.heap());
}

RootKind root_kind(std::uint32_t canonical) {
  const ValType type = value(canonical);
  if (!type.is_ref()) return RootKind::None;
  switch (top_of(type.heap())) {
  case AbstractHeapType::Any: return RootKind::Any;
  case AbstractHeapType::Extern: return RootKind::Extern;
  default: return RootKind::None;
  }
}

} // namespace cusp::runtime
