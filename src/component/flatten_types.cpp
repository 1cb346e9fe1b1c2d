#include "component/flattening.h"

namespace cusp::component {

using base::ErrorCode;
using base::Result;

Result<TypeEntity> Flattening::evaluate(const ast::TypeDecl& decl) {
  if (const auto* ref = std::get_if<ast::ValRef>(&decl.type)) return TypeEntity(CUSP_TRY(evaluate(*ref)));
  if (const auto* def = std::get_if<ast::DefType>(&decl.type)) return TypeEntity(CUSP_TRY(evaluate(*def)));
  if (const auto* func = std::get_if<ast::FuncTypeRef>(&decl.type))
    return TypeEntity(FuncTypeEntity{CUSP_TRY(evaluate(*func))});
  if (const auto* resource = std::get_if<ast::ResourceType>(&decl.type)) {
    Resource entry{.name = "resource",
                   .interface = {},
                   .imported = false,
                   .instance = env_->instance,
                   .rep = resource->rep,
                   .destructor = {}};
    if (resource->destructor) entry.destructor = CUSP_TRY(at(env_->core_funcs, *resource->destructor, "core function"));
    ResourceIndex index(static_cast<std::uint32_t>(plan_.resources.size()));
    plan_.resources.push_back(std::move(entry));
    return TypeEntity(index);
  }
  return TypeEntity(ScopeEntity{std::get<std::shared_ptr<ast::Scope>>(decl.type), decl.is_instance_type, env_});
}

Result<ResourceIndex> Flattening::resource_at(std::uint32_t index) {
  TypeEntity type = CUSP_TRY(at(env_->types, index, "type"));
  if (const auto* resource = std::get_if<ResourceIndex>(&type)) return *resource;
  return fail(ErrorCode::Internal, fmt::format("type index {} is not a resource type", index));
}

Result<std::uint32_t> Flattening::func_type_at(std::uint32_t index) {
  TypeEntity type = CUSP_TRY(at(env_->types, index, "type"));
  if (const auto* func = std::get_if<FuncTypeEntity>(&type)) return func->type;
  return fail(ErrorCode::Internal, fmt::format("type index {} is not a function type", index));
}

Result<ValType> Flattening::evaluate(const ast::ValRef& ref) {
  if (ref.primitive) return ValType{*ref.primitive, 0};
  TypeEntity type = CUSP_TRY(at(env_->types, ref.index, "type"));
  if (const auto* val = std::get_if<ValType>(&type)) return *val;
  return fail(ErrorCode::Internal, fmt::format("type index {} is not a defined type", ref.index));
}

Result<ValType> Flattening::evaluate(const ast::DefType& def) {
  if (def.kind == TypeKind::Own || def.kind == TypeKind::Borrow)
    return ValType{def.kind, CUSP_TRY(resource_at(def.resource)).value};
  TypeDef made;
  made.kind = def.kind;
  made.length = def.length;
  for (const ast::LabelRef& label : def.labels) {
    Label entry{std::string(label.name), std::nullopt};
    if (label.type) entry.type = CUSP_TRY(evaluate(*label.type));
    made.labels.push_back(std::move(entry));
  }
  if (def.element) made.element = CUSP_TRY(evaluate(*def.element));
  if (def.error) made.error = CUSP_TRY(evaluate(*def.error));
  auto defined = types_.define(std::move(made));
  if (!defined) return fail(ErrorCode::Internal, "the type is too large");
  return *defined;
}

Result<std::uint32_t> Flattening::evaluate(const ast::FuncTypeRef& ref) {
  FuncType func;
  func.is_async = ref.is_async;
  for (const ast::LabelRef& param : ref.params)
    func.params.push_back({std::string(param.name), CUSP_TRY(evaluate(*param.type))});
  if (ref.result) func.result = CUSP_TRY(evaluate(*ref.result));
  return types_.define(std::move(func));
}

} // namespace cusp::component
