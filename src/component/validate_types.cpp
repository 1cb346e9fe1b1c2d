#include "component/limits.h"
#include "component/validation.h"

namespace cusp::component {

using base::ErrorCode;
using base::Result;
using Kind = TypeRef::Kind;

Result<void> Validation::define(ast::TypeDecl& decl, const ast::Definition& definition) {
  TypeRef type = CUSP_TRY(make_type(decl, definition));
  scope_->types.push_back(type);
  return {};
}

Result<TypeRef> Validation::make_type(ast::TypeDecl& decl, const ast::Definition& definition) {
  if (const auto* ref = std::get_if<ast::ValRef>(&decl.type)) {
    CUSP_TRY(value_type(*ref));
    typing::DefinedType type;
    type.kind = *ref->primitive; // a definition names a type by what it is, never by an index
    return *types_.add(std::move(type));
  }
  if (const auto* def = std::get_if<ast::DefType>(&decl.type)) return define_type(*def);
  if (const auto* func = std::get_if<ast::FuncTypeRef>(&decl.type)) return define_func(*func);
  if (const auto* resource = std::get_if<ast::ResourceType>(&decl.type)) return define_resource(*resource);
  Scope scope;
  scope.kind = decl.is_instance_type ? Scope::Kind::InstanceType : Scope::Kind::ComponentType;
  scope.parent = scope_;
  scope.path = fmt::format("{}{} > ", scope_->path, scope_->counts.describe(definition));
  Scope* before = std::exchange(scope_, &scope);
  for (ast::Definition& one : std::get<std::shared_ptr<ast::Scope>>(decl.type)->definitions)
    CUSP_TRY(this->definition(one));
  current_ = nullptr;
  offset_ = definition.offset;
  TypeRef type;
  if (decl.is_instance_type) {
    typing::InstanceType made;
    made.info = scope.info;
    made.exports = {scope.exports.names, std::move(scope.exports.entities)};
    for (const Scope::DefinedResource& resource : scope.defined) made.defined.push_back(resource.id);
    made.explicit_ = std::move(scope.explicit_);
    type = types_.add(std::move(made));
  } else {
    type = types_.add(CUSP_TRY(finish(scope)));
  }
  scope_ = before;
  current_ = &definition;
  return type;
}

Result<TypeRef> Validation::value_type(const ast::ValRef& ref) const {
  CUSP_TRY(need(Feature::ErrorContext, ref.primitive == TypeKind::ErrorContext));
  return ref.primitive ? TypeRef::primitive(*ref.primitive) : defined_type_at(ref.index);
}

// ---- value types ----

Result<void> Validation::check_labels(const ast::DefType& def) const {
  struct Words {
    TypeKind kind;
    std::string_view type, member;
  };
  constexpr Words kWords[] = {{TypeKind::Record, "record type must have at least one field", "record field"},
                              {TypeKind::Variant, "variant type must have at least one case", "variant case"},
                              {TypeKind::Tuple, "tuple type must have at least one type", {}},
                              {TypeKind::Flags, "flags must have at least one entry", "flag"},
                              {TypeKind::Enum, "enum type must have at least one variant", "enum tag"}};
  for (const Words& words : kWords) {
    if (words.kind != def.kind) continue;
    if (def.labels.empty()) return invalid(std::string(words.type));
    if (words.member.empty()) return {};
    std::map<std::string, std::string_view> seen;
    for (const ast::LabelRef& label : def.labels) {
      if (label.name.empty()) return invalid(fmt::format("{} name cannot be empty", words.member));
      if (!is_label(label.name))
        return invalid(fmt::format("{} name `{}` is not in kebab case", words.member, label.name));
      auto [earlier, is_new] = seen.emplace(lower_case(label.name), label.name);
      if (!is_new)
        return invalid(fmt::format("{} name `{}` conflicts with previous {} name `{}`", words.member, label.name,
                                   words.member.substr(words.member.find(' ') + 1), earlier->second));
    }
  }
  if (def.kind == TypeKind::Flags && def.labels.size() > 32) return invalid("cannot have more than 32 flags");
  return {};
}

// What only some kinds of types ask of what they hold.
Result<void> Validation::check_element(const ast::DefType& def, const typing::DefinedType& made) const {
  CUSP_TRY(need(Feature::Async, def.kind == TypeKind::Stream || def.kind == TypeKind::Future));
  CUSP_TRY(need(Feature::FixedLengthLists, def.kind == TypeKind::FixedList));
  CUSP_TRY(need(Feature::Map, def.kind == TypeKind::Map));
  bool carries = def.kind == TypeKind::Stream || def.kind == TypeKind::Future;
  if (carries && made.element) {
    if (types_.info(*made.element).has_borrow)
      return invalid(fmt::format("`{}` cannot carry a `borrow` type", typing::type_kind_name(def.kind)));
    if (def.kind == TypeKind::Stream && types_.kind_of(*made.element) == TypeKind::Char)
      return invalid(
          "`stream<char>` is not valid at this time, use `stream<u8>` with a defined byte encoding instead for now");
  }
  if (def.kind == TypeKind::FixedList && def.length == 0)
    return invalid("Fixed-length lists must have more than zero elements");
  if (def.kind == TypeKind::FixedList && def.length > kMaxFixedLength)
    return fail(ErrorCode::LimitExceeded, fmt::format("a list of {} elements is over the limit", def.length));
  if (def.kind == TypeKind::Map) {
    TypeKind key = types_.kind_of(*made.element);
    bool allowed = key <= TypeKind::U64 || key == TypeKind::Char || key == TypeKind::String;
    if (!allowed) return invalid(fmt::format("`{}` cannot be the key of a map", typing::type_kind_name(key)));
  }
  return {};
}

Result<TypeRef> Validation::define_type(const ast::DefType& def) {
  CUSP_TRY(check_labels(def));
  typing::DefinedType made;
  made.kind = def.kind;
  made.length = def.length;
  typing::Info info;
  auto part = [&](const ast::ValRef& ref) -> Result<TypeRef> {
    TypeRef type = CUSP_TRY(value_type(ref));
    CUSP_TRY(grow(info, types_.info(type)));
    return type;
  };
  for (const ast::LabelRef& label : def.labels) {
    typing::DefinedType::Label entry{std::string(label.name), std::nullopt};
    if (label.type) entry.type = CUSP_TRY(part(*label.type));
    made.labels.push_back(std::move(entry));
  }
  if (def.element) made.element = CUSP_TRY(part(*def.element));
  if (def.error) made.error = CUSP_TRY(part(*def.error));
  if (def.kind == TypeKind::Own || def.kind == TypeKind::Borrow)
    made.resource = CUSP_TRY(type_at(def.resource, Kind::Resource, "a resource"));
  CUSP_TRY(check_element(def, made));
  auto type = types_.add(std::move(made));
  if (!type) return invalid(fmt::format("the type's size in memory reaches the maximum of {} bytes", kMaxElementSize));
  if (types_.defined(*type).depth > kMaxTypeDepth) return fail(ErrorCode::LimitExceeded, "type nesting is too deep");
  return *type;
}

Result<TypeRef> Validation::define_func(const ast::FuncTypeRef& ref) {
  typing::FuncType func;
  CUSP_TRY(need(Feature::Async, ref.is_async));
  func.is_async = ref.is_async;
  std::map<std::string, std::string_view> seen;
  for (const ast::LabelRef& param : ref.params) {
    if (param.name.empty()) return invalid("function parameter name cannot be empty");
    if (!is_label(param.name))
      return invalid(fmt::format("function parameter name `{}` is not in kebab case", param.name));
    auto [earlier, is_new] = seen.emplace(lower_case(param.name), param.name);
    if (!is_new)
      return invalid(fmt::format("function parameter name `{}` conflicts with previous parameter name `{}`", param.name,
                                 earlier->second));
    TypeRef type = CUSP_TRY(value_type(*param.type));
    CUSP_TRY(grow(func.info, types_.info(type)));
    func.params.emplace_back(param.name, type);
  }
  if (ref.result) {
    func.result = CUSP_TRY(value_type(*ref.result));
    if (types_.info(*func.result).has_borrow) return invalid("function result cannot contain a `borrow` type");
    CUSP_TRY(grow(func.info, types_.info(*func.result)));
  }
  return types_.add(std::move(func));
}

Result<TypeRef> Validation::define_resource(const ast::ResourceType& resource) {
  if (scope_->kind != Scope::Kind::Component)
    return invalid("resources can only be defined within a concrete component");
  CUSP_TRY(need(Feature::Memory64, resource.rep == AddressType::I64));
  if (resource.destructor) {
    wasm::TypeIndex type = CUSP_TRY(at(scope_->core_funcs, *resource.destructor, "core function"));
    wasm::FuncType wanted{{resource.rep == AddressType::I32 ? wasm::ValType::i32() : wasm::ValType::i64()}, {}};
    if (*types_.core.func(type) != wanted)
      return invalid(fmt::format("core function {} has wrong signature for a destructor", *resource.destructor));
  }
  typing::ResourceId id = types_.new_resource();
  scope_->defined.push_back({id, resource.rep});
  return TypeRef::resource(id);
}

} // namespace cusp::component
