#include "wit/copy.h"

namespace cusp::wit {

Type Copier::type(Type type) {
  const TypeId* id = std::get_if<TypeId>(&type);
  return id ? Type(this->type(*id)) : type;
}

std::optional<Type> Copier::type(const std::optional<Type>& type) {
  return type ? std::optional<Type>(this->type(*type)) : std::nullopt;
}

TypeId Copier::type(TypeId id) {
  if (auto found = map_.find(id); found != map_.end()) return found->second;
  TypeDef def = from_.type(id); // by value: `from_` may be `to_`, whose types move as it grows
  TypeId copy = def.name.empty() ? to_.add(definition(def)) : named_(id);
  map_[id] = copy;
  return copy;
}

std::vector<Member> Copier::members(const std::vector<Member>& list) {
  std::vector<Member> result;
  for (const Member& member : list) result.push_back({member.name, type(member.type), member.docs});
  return result;
}

TypeDef Copier::definition(const TypeDef& def) {
  struct Visitor {
    Copier& copier;
    using Kind = decltype(TypeDef::kind);
    Kind operator()(const Alias& kind) { return Alias{copier.type(kind.type)}; }
    Kind operator()(const Record& kind) { return Record{copier.members(kind.fields)}; }
    Kind operator()(const Variant& kind) { return Variant{copier.members(kind.cases)}; }
    Kind operator()(const Enum& kind) { return kind; }
    Kind operator()(const Flags& kind) { return kind; }
    Kind operator()(const Resource& kind) { return kind; }
    Kind operator()(const Tuple& kind) {
      Tuple result;
      for (Type part : kind.types) result.types.push_back(copier.type(part));
      return result;
    }
    Kind operator()(const List& kind) { return List{copier.type(kind.element), kind.length}; }
    Kind operator()(const Map& kind) { return Map{copier.type(kind.key), copier.type(kind.value)}; }
    Kind operator()(const Option& kind) { return Option{copier.type(kind.type)}; }
    Kind operator()(const ResultType& kind) { return ResultType{copier.type(kind.ok), copier.type(kind.error)}; }
    Kind operator()(const Own& kind) { return Own{copier.type(kind.resource)}; }
    Kind operator()(const Borrow& kind) { return Borrow{copier.type(kind.resource)}; }
    Kind operator()(const Stream& kind) { return Stream{copier.type(kind.element)}; }
    Kind operator()(const Future& kind) { return Future{copier.type(kind.element)}; }
  };
  TypeDef result;
  result.name = def.name;
  result.attributes = def.attributes;
  result.kind = std::visit(Visitor{*this}, def.kind);
  return result;
}

Function Copier::function(const Function& function) {
  Function result = function;
  if (!function.resource.is_none()) result.resource = type(function.resource);
  for (Param& param : result.params) param.type = type(param.type);
  result.result = type(function.result);
  return result;
}

} // namespace cusp::wit
