#include "compose/flatten.h"

#include <algorithm>
#include <map>

#include "component/types.h"

namespace cusp::compose {

namespace {

using wasm::ValType;

constexpr std::size_t kMaxFlatAsyncParams = 4;
constexpr std::size_t kMaxKept = 1000; // flat types that are looked at; more than any limit of the ABI

struct Flat {
  std::vector<ValType> types;
  bool pointers = false; // a string or list is among them

  void append(const Flat& other) {
    for (ValType type : other.types)
      if (types.size() < kMaxKept) types.push_back(type);
    pointers |= other.pointers;
  }
};

// A type is flattened once, however often it is named.
class Flattener {
public:
  explicit Flattener(const wit::Graph& graph) : graph_(graph) {}

  Flat of(wit::Type type) {
    type = graph_.resolve(type);
    if (const auto* primitive = std::get_if<wit::Primitive>(&type)) return of(*primitive);
    wit::TypeId id = std::get<wit::TypeId>(type);
    auto known = known_.find(id);
    if (known == known_.end()) known = known_.emplace(id, of(graph_.type(id))).first;
    return known->second;
  }

private:
  static Flat pair() { return {{ValType::i32(), ValType::i32()}, true}; }

  static Flat of(wit::Primitive primitive) {
    switch (primitive) {
    case wit::Primitive::S64:
    case wit::Primitive::U64: return {{ValType::i64()}};
    case wit::Primitive::F32: return {{ValType::f32()}};
    case wit::Primitive::F64: return {{ValType::f64()}};
    case wit::Primitive::String: return pair();
    default: return {{ValType::i32()}};
    }
  }

  Flat of(const wit::TypeDef& def) {
    Flat flat;
    if (std::holds_alternative<wit::Record>(def.kind) || std::holds_alternative<wit::Tuple>(def.kind)) {
      graph_.for_each_part(def, [&](wit::Type part) { flat.append(of(part)); });
    } else if (std::holds_alternative<wit::Variant>(def.kind) || std::holds_alternative<wit::Option>(def.kind) ||
               std::holds_alternative<wit::ResultType>(def.kind)) {
      flat.types.push_back(ValType::i32());
      graph_.for_each_part(def, [&](wit::Type payload) { join(flat, of(payload)); });
    } else if (const auto* kind = std::get_if<wit::List>(&def.kind); kind && kind->length) {
      Flat element = of(kind->element);
      for (std::uint32_t i = 0; i < *kind->length && flat.types.size() < kMaxKept; ++i) flat.append(element);
    } else if (kind || std::holds_alternative<wit::Map>(def.kind)) {
      return pair();
    } else {
      flat.types.push_back(ValType::i32()); // enums, flags, handles, streams, futures
    }
    return flat;
  }

  // A case's payload after the discriminant.
  static void join(Flat& flat, const Flat& payload) {
    auto narrow = [](ValType type) { return type == ValType::i32() || type == ValType::f32(); };
    for (std::size_t i = 0; i < payload.types.size(); ++i) {
      ValType other = payload.types[i];
      if (i + 1 >= flat.types.size()) {
        if (flat.types.size() < kMaxKept) flat.types.push_back(other);
      } else if (ValType& mine = flat.types[i + 1]; mine != other) {
        mine = narrow(mine) && narrow(other) ? ValType::i32() : ValType::i64();
      }
    }
    flat.pointers |= payload.pointers;
  }

  const wit::Graph& graph_;
  std::map<wit::TypeId, Flat> known_;
};

} // namespace

CoreSignature core_signature(const wit::Graph& graph, const wit::Function& function, CoreSide side) {
  bool import = side == CoreSide::Import || side == CoreSide::AsyncImport;
  Flattener flattener(graph);
  Flat params, results;
  for (const wit::Param& param : function.params) params.append(flattener.of(param.type));
  if (function.result) results = flattener.of(*function.result);
  CoreSignature result;
  result.type.params = params.types;
  std::size_t limit = side == CoreSide::AsyncImport ? kMaxFlatAsyncParams : component::kMaxFlatParams;
  bool spilled = params.types.size() > limit;
  if (spilled) result.type.params = {ValType::i32()};
  result.needs_memory = spilled || params.pointers || results.pointers;
  result.needs_realloc = import ? results.pointers : spilled || params.pointers;
  switch (side) {
  case CoreSide::Import:
  case CoreSide::Export:
    if (results.types.size() <= component::kMaxFlatResults) {
      result.type.results = results.types;
    } else {
      (import ? result.type.params : result.type.results).push_back(ValType::i32());
      result.needs_memory = true;
    }
    break;
  case CoreSide::AsyncImport:
    if (function.result) result.type.params.push_back(ValType::i32()), result.needs_memory = true;
    result.type.results = {ValType::i32()};
    break;
  case CoreSide::AsyncExport:
  case CoreSide::StackfulExport:
    if (side == CoreSide::AsyncExport) result.type.results = {ValType::i32()};
    result.needs_memory |=
        results.types.size() > component::kMaxFlatParams; // the result goes through task.return's parameters
    break;
  }
  return result;
}

CoreSignature task_return_signature(const wit::Graph& graph, const wit::Function& function) {
  Flat results;
  if (function.result) results = Flattener(graph).of(*function.result);
  CoreSignature result;
  bool spilled = results.types.size() > component::kMaxFlatParams;
  if (spilled) result.type.params = {ValType::i32()};
  else result.type.params = results.types;
  result.needs_memory = spilled || results.pointers;
  return result;
}

bool has_pointers(const wit::Graph& graph, wit::Type type) { return Flattener(graph).of(type).pointers; }

} // namespace cusp::compose
