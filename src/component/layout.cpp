#include "component/layout.h"

#include <algorithm>

namespace cusp::component {

namespace {

bool has_pointers(const TypeTable& types, ValType type) {
  switch (type.kind) {
  case TypeKind::String:
  case TypeKind::Own:
  case TypeKind::Borrow:
  case TypeKind::Stream:
  case TypeKind::Future:
  case TypeKind::ErrorContext: return true;
  default: return has_layout(type.kind) && types.defs[type.index].has_pointers;
  }
}

std::uint64_t align_to(std::uint64_t offset, std::uint64_t alignment) {
  return (offset + alignment - 1) / alignment * alignment;
}

// Spec: join of flatten_variant.
FlatType join(FlatType a, FlatType b) {
  if (a == b) return a;
  bool narrow = (a == FlatType::I32 && b == FlatType::F32) || (a == FlatType::F32 && b == FlatType::I32);
  return narrow ? FlatType::I32 : FlatType::I64;
}

// The cases of whatever despecializes to a variant.
std::vector<std::optional<ValType>> cases_of(const TypeDef& def) {
  if (def.kind == TypeKind::Option) return {std::nullopt, def.element};
  if (def.kind == TypeKind::Result) return {def.element, def.error};
  std::vector<std::optional<ValType>> cases;
  for (const Label& label : def.labels) cases.push_back(label.type);
  return cases;
}

// One layout of one definition. Flat counts stay below sizes, which are bounded.
class LayoutMaker {
public:
  LayoutMaker(const TypeTable& types, const TypeDef& def, AddressType addresses)
      : types_(types), def_(def), addresses_(addresses) {}

  std::optional<Layout> make() {
    switch (def_.kind) {
    case TypeKind::Record:
    case TypeKind::Tuple: fields(); break;
    case TypeKind::List:
    case TypeKind::Map: pair_of_addresses(); break;
    case TypeKind::FixedList: elements(); break;
    case TypeKind::Variant:
    case TypeKind::Enum:
    case TypeKind::Option:
    case TypeKind::Result: cases(); break;
    case TypeKind::Flags:
      out_.alignment = def_.labels.size() <= 8 ? 1 : def_.labels.size() <= 16 ? 2 : 4;
      size_ = out_.alignment;
      one_flat();
      break;
    default: size_ = out_.alignment = 4, one_flat(); break;
    }
    if (size_ >= kMaxElementSize) return std::nullopt;
    out_.size = static_cast<std::uint32_t>(align_to(size_, out_.alignment));
    if (out_.flat_count > kMaxFlatParams) out_.flat.clear();
    return std::move(out_);
  }

private:
  std::uint32_t alignment(ValType type) const { return types_.alignment(type, addresses_); }
  std::uint32_t size(ValType type) const { return types_.size(type, addresses_); }

  void one_flat() { out_.flat = {FlatType::I32}, out_.flat_count = 1; }
  void append_flat(ValType type, std::uint64_t times) {
    std::uint64_t count = out_.flat_count + times * types_.flat_count(type);
    if (count <= kMaxFlatParams)
      while (times-- != 0) types_.append_flat(type, out_.flat, addresses_);
    out_.flat_count = static_cast<std::uint32_t>(std::min<std::uint64_t>(count, kMaxElementSize));
  }

  void pair_of_addresses() {
    bool wide = addresses_ == AddressType::I64;
    size_ = wide ? 16 : 8;
    out_.alignment = wide ? 8 : 4;
    out_.flat.assign(2, wide ? FlatType::I64 : FlatType::I32);
    out_.flat_count = 2;
  }

  void fields() {
    for (const Label& field : def_.labels) {
      out_.alignment = std::max(out_.alignment, alignment(*field.type));
      size_ = align_to(size_, alignment(*field.type));
      out_.offsets.push_back(static_cast<std::uint32_t>(size_));
      size_ += size(*field.type);
      if (size_ >= kMaxElementSize) return;
      append_flat(*field.type, 1);
    }
  }

  void elements() {
    size_ = std::uint64_t{size(*def_.element)} * def_.length;
    out_.alignment = alignment(*def_.element);
    append_flat(*def_.element, def_.length);
  }

  void cases() {
    std::uint32_t payload_alignment = 1;
    std::uint64_t payload_size = 0;
    std::uint32_t longest = 0;
    std::vector<FlatType> joined;
    for (const std::optional<ValType>& payload : cases_of(def_)) {
      if (!payload) continue;
      payload_alignment = std::max(payload_alignment, alignment(*payload));
      payload_size = std::max<std::uint64_t>(payload_size, size(*payload));
      longest = std::max(longest, types_.flat_count(*payload));
      std::vector<FlatType> flat;
      if (types_.flat_count(*payload) <= kMaxFlatParams) types_.append_flat(*payload, flat, addresses_);
      for (std::size_t i = 0; i < flat.size(); ++i) {
        if (i < joined.size()) joined[i] = join(joined[i], flat[i]);
        else joined.push_back(flat[i]);
      }
    }
    out_.alignment = std::max<std::uint32_t>(def_.discriminant_size, payload_alignment);
    std::uint64_t offset = align_to(def_.discriminant_size, payload_alignment);
    out_.offsets = {static_cast<std::uint32_t>(offset)};
    size_ = offset + payload_size;
    out_.flat = {FlatType::I32};
    out_.flat.insert(out_.flat.end(), joined.begin(), joined.end());
    out_.flat_count = 1 + longest;
  }

  const TypeTable& types_;
  const TypeDef& def_;
  AddressType addresses_;
  Layout out_;
  std::uint64_t size_ = 0; // before it is aligned
};

template <class T> std::string archived(T& fields) {
  base::ArchiveWriter writer;
  fields(writer);
  std::vector<std::uint8_t> bytes = writer.take();
  return std::string(bytes.begin(), bytes.end());
}

} // namespace

std::optional<ValType> TypeBuilder::define(TypeDef def) {
  auto fields = [&](auto& a) { a(def.kind, def.labels, def.element, def.error, def.length); };
  auto [found, is_new] = defs_.try_emplace(archived(fields), static_cast<std::uint32_t>(table_.defs.size()));
  if (!is_new) return ValType{def.kind, found->second};
  bool list = def.kind == TypeKind::List || def.kind == TypeKind::Map;
  bool handle = def.kind == TypeKind::Stream || def.kind == TypeKind::Future;
  def.has_pointers = list || handle;
  for (const std::optional<ValType>& inner : cases_of(def))
    if (inner) def.has_pointers = def.has_pointers || has_pointers(table_, *inner);
  if (def.element) def.has_pointers = def.has_pointers || has_pointers(table_, *def.element);
  std::size_t cases = cases_of(def).size();
  if (def.kind == TypeKind::Variant || def.kind == TypeKind::Enum || def.kind == TypeKind::Option ||
      def.kind == TypeKind::Result)
    def.discriminant_size = cases <= 256 ? 1 : cases <= 65536 ? 2 : 4;
  auto narrow = LayoutMaker(table_, def, AddressType::I32).make();
  auto wide = LayoutMaker(table_, def, AddressType::I64).make();
  if (!narrow || !wide) {
    defs_.erase(found);
    return std::nullopt;
  }
  static_cast<Layout&>(def) = std::move(*narrow);
  def.wide = std::move(*wide);
  table_.defs.push_back(std::move(def));
  return ValType{table_.defs.back().kind, found->second};
}

std::uint32_t TypeBuilder::define(FuncType type) {
  auto fields = [&](auto& a) { type.fields(a); };
  auto [found, is_new] = funcs_.try_emplace(archived(fields), static_cast<std::uint32_t>(table_.funcs.size()));
  if (is_new) table_.funcs.push_back(std::move(type));
  return found->second;
}

} // namespace cusp::component
