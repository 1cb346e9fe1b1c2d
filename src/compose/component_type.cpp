#include "compose/component_type.h"

#include <deque>

#include <fmt/format.h>

namespace cusp::compose {

using base::ErrorCode;
using base::Result;
namespace ast = component::ast;
using component::TypeKind;

namespace {

constexpr unsigned kMaxDepth = 100;
constexpr std::size_t kMaxDefinitions = 2'000'000; // run, over all instantiations

struct Environment;
// A component or instance type, with the scope it was written in; or a component that is defined.
struct ScopeType {
  std::shared_ptr<ast::Scope> declarations;
  std::shared_ptr<ast::Component> component;
  bool is_instance = false;
  Environment* scope = nullptr;
};
using TypeEntity = std::variant<NodeId, ScopeType>;

struct Environment {
  Environment* parent = nullptr;
  std::vector<TypeEntity> types;
  std::vector<NodeId> funcs;
  std::vector<std::shared_ptr<InstanceType>> instances;
  std::vector<ScopeType> components;
  std::uint32_t core_modules = 0;
};

using Arguments = std::vector<Extern>;

class Evaluator {
public:
  explicit Evaluator(TypeArena& arena) : arena_(arena) {}

  // `arguments` is null where imports stand for themselves. `declaring`: the declarations of a type, which export by type alone.
  Result<ComponentType> run(const std::vector<ast::Definition>& definitions, Environment* parent,
                            const Arguments* arguments, unsigned depth, bool declaring) {
    if (depth > kMaxDepth) return fail(ErrorCode::LimitExceeded, "components or types are nested too deeply");
    Environment& env = environments_.emplace_back();
    env.parent = parent;
    ComponentType out;
    for (const ast::Definition& definition : definitions) {
      offset_ = definition.offset;
      if (++executed_ > kMaxDefinitions)
        return fail(ErrorCode::LimitExceeded, "the component has too many instantiations");
      Frame frame{env, arguments, out, depth, declaring};
      CUSP_TRY(std::visit([&](const auto& what) { return define(what, frame); }, definition.what));
    }
    return out;
  }

private:
  struct Frame {
    Environment& env;
    const Arguments* arguments;
    ComponentType& out;
    unsigned depth;
    bool declaring;
  };

  std::unexpected<base::Error> fail(ErrorCode code, std::string message) const {
    return base::fail_at(code, offset_, std::move(message));
  }
  std::unexpected<base::Error> invalid(std::string message) const {
    return fail(ErrorCode::Invalid, std::move(message));
  }

  template <class T> Result<T> at(const std::vector<T>& space, std::uint32_t index, std::string_view what) const {
    if (index >= space.size()) return invalid(fmt::format("there is no {} {}", what, index));
    return space[index];
  }
  Result<NodeId> node(const Environment& env, std::uint32_t index) const {
    TypeEntity entity = CUSP_TRY(at(env.types, index, "type"));
    if (const auto* id = std::get_if<NodeId>(&entity)) return *id;
    return invalid(fmt::format("type {} is not a value, function or resource type", index));
  }

  // ---- definitions without a type of their own ----

  Result<void> define(std::uint32_t, Frame& frame) {
    ++frame.env.core_modules;
    return {};
  }
  Result<void> define(const ast::CoreInstance&, Frame&) { return {}; }
  Result<void> define(const ast::CoreTypeDecl&, Frame&) { return {}; }
  Result<void> define(const ast::Value&, Frame&) { return fail(ErrorCode::Unsupported, "values are not supported"); }
  Result<void> define(const ast::Start&, Frame&) {
    return fail(ErrorCode::Unsupported, "component start functions are not supported");
  }
  Result<void> define(const std::shared_ptr<ast::Component>& component, Frame& frame) {
    frame.env.components.push_back({{}, component, false, &frame.env});
    return {};
  }
  Result<void> define(const ast::Canon& canon, Frame& frame) {
    if (canon.kind == ast::Canon::Kind::Lift) frame.env.funcs.push_back(CUSP_TRY(node(frame.env, canon.type)));
    return {};
  }
  Result<void> define(const ast::TypeDecl& decl, Frame& frame) {
    frame.env.types.push_back(CUSP_TRY(type(decl, frame.env)));
    return {};
  }

  // ---- types ----

  Result<ValueType> value(const ast::ValRef& ref, const Environment& env) const {
    if (ref.primitive) return ValueType{ref.primitive, {}};
    return ValueType{std::nullopt, CUSP_TRY(node(env, ref.index))};
  }
  Result<std::optional<ValueType>> maybe(const std::optional<ast::ValRef>& ref, const Environment& env) const {
    if (!ref) return std::nullopt;
    return CUSP_TRY(value(*ref, env));
  }
  Result<std::vector<LabelType>> labels(const std::vector<ast::LabelRef>& list, const Environment& env) const {
    std::vector<LabelType> result;
    for (const ast::LabelRef& label : list)
      result.push_back({std::string(label.name), CUSP_TRY(maybe(label.type, env))});
    return result;
  }

  Result<TypeEntity> type(const ast::TypeDecl& decl, Environment& env) {
    if (const auto* scope = std::get_if<std::shared_ptr<ast::Scope>>(&decl.type))
      return TypeEntity(ScopeType{*scope, {}, decl.is_instance_type, &env});
    if (const auto* ref = std::get_if<ast::ValRef>(&decl.type)) {
      if (!ref->primitive) return at(env.types, ref->index, "type");
      ValueNode primitive;
      primitive.kind = *ref->primitive;
      return TypeEntity(arena_.add(std::move(primitive)));
    }
    if (std::holds_alternative<ast::ResourceType>(decl.type)) return TypeEntity(arena_.add(ResourceNode{}));
    if (const auto* func = std::get_if<ast::FuncTypeRef>(&decl.type))
      return TypeEntity(arena_.add(
          FunctionNode{CUSP_TRY(labels(func->params, env)), CUSP_TRY(maybe(func->result, env)), func->is_async}));
    const auto& def = std::get<ast::DefType>(decl.type);
    ValueNode result;
    result.kind = def.kind;
    result.labels = CUSP_TRY(labels(def.labels, env));
    result.element = CUSP_TRY(maybe(def.element, env));
    result.error = CUSP_TRY(maybe(def.error, env));
    result.length = def.length;
    if (def.kind == TypeKind::Own || def.kind == TypeKind::Borrow) result.resource = CUSP_TRY(node(env, def.resource));
    return TypeEntity(arena_.add(std::move(result)));
  }

  // ---- instances, aliases ----

  Result<void> define(const ast::Instance& instance, Frame& frame) {
    Environment& env = frame.env;
    Arguments items;
    for (const auto& item : instance.items)
      if (auto found = CUSP_TRY(item_at(env, item.what)))
        items.push_back({std::string(item.name.text), std::move(*found), {}, {}});
    auto result = std::make_shared<InstanceType>();
    if (instance.inline_exports) {
      result->exports = std::move(items);
    } else {
      ScopeType target = CUSP_TRY(at(env.components, instance.component, "component"));
      result->exports =
          CUSP_TRY(run(definitions(target), target.scope, &items, frame.depth + 1, !target.component)).exports;
    }
    env.instances.push_back(std::move(result));
    return {};
  }

  static const std::vector<ast::Definition>& definitions(const ScopeType& target) {
    return target.component ? target.component->definitions : target.declarations->definitions;
  }

  // Absent: a core item, which has no part in types.
  Result<std::optional<Item>> item_at(const Environment& env, const ast::SortIndex& what) {
    switch (what.sort) {
    case ast::Sort::Func: return Item(FunctionItem{CUSP_TRY(at(env.funcs, what.index, "function"))});
    case ast::Sort::Instance: return Item(CUSP_TRY(at(env.instances, what.index, "instance")));
    case ast::Sort::Type: {
      TypeEntity entity = CUSP_TRY(at(env.types, what.index, "type"));
      if (const auto* id = std::get_if<NodeId>(&entity)) return Item(TypeItem{*id});
      auto component = std::make_shared<ComponentType>();
      *component = CUSP_TRY(declared(std::get<ScopeType>(entity)));
      return Item(DefinitionItem{std::move(component)});
    }
    case ast::Sort::Component: {
      ScopeType target = CUSP_TRY(at(env.components, what.index, "component"));
      auto component = std::make_shared<ComponentType>();
      *component = CUSP_TRY(run(definitions(target), target.scope, nullptr, 1, !target.component));
      return Item(std::move(component));
    }
    case ast::Sort::Core: return std::nullopt;
    case ast::Sort::Value: break;
    }
    return fail(ErrorCode::Unsupported, "values are not supported");
  }
  // The imports and exports of a component or instance type, resources fresh.
  Result<ComponentType> declared(const ScopeType& scope) {
    if (++nesting_ > kMaxDepth) return fail(ErrorCode::LimitExceeded, "types are nested too deeply");
    auto result = run(scope.declarations->definitions, scope.scope, nullptr, 1, true);
    --nesting_;
    return result;
  }

  void push(Environment& env, const Item& item, const ScopeType* component = nullptr) {
    if (const auto* func = std::get_if<FunctionItem>(&item)) env.funcs.push_back(func->type);
    else if (const auto* type = std::get_if<TypeItem>(&item)) env.types.push_back(type->type);
    else if (const auto* instance = std::get_if<std::shared_ptr<InstanceType>>(&item))
      env.instances.push_back(*instance);
    else if (component) env.components.push_back(*component);
    else if (std::holds_alternative<ModuleItem>(item)) ++env.core_modules;
  }

  Result<void> define(const ast::Alias& alias, Frame& frame) {
    Environment& env = frame.env;
    if (alias.kind == ast::Alias::Kind::CoreExport || alias.sort == ast::Sort::Core) return {};
    if (alias.kind == ast::Alias::Kind::Export) {
      auto instance = CUSP_TRY(at(env.instances, alias.index, "instance"));
      const Item* item = instance->find(alias.name);
      if (!item) return invalid(fmt::format("instance {} has no export `{}`", alias.index, alias.name));
      if (std::holds_alternative<std::shared_ptr<ComponentType>>(*item) ||
          std::holds_alternative<DefinitionItem>(*item))
        return fail(ErrorCode::Unsupported,
                    fmt::format("`{}` is a component inside an instance, which WIT cannot say", alias.name));
      push(env, *item);
      return {};
    }
    Environment* outer = &env;
    for (std::uint32_t n = alias.count; n != 0 && outer; --n) outer = outer->parent;
    if (!outer) return invalid("an outer alias goes beyond the outermost component");
    if (alias.sort == ast::Sort::Type) env.types.push_back(CUSP_TRY(at(outer->types, alias.index, "type")));
    else if (alias.sort == ast::Sort::Component)
      env.components.push_back(CUSP_TRY(at(outer->components, alias.index, "component")));
    else return invalid("an outer alias is of a sort that has none");
    return {};
  }

  // ---- imports, exports ----

  static Extern named(const ast::Name& name, Item item) {
    return {std::string(name.text), std::move(item), std::string(name.implements.value_or("")),
            std::string(name.external_id.value_or(""))};
  }

  // A fresh item of the type that `desc` gives. `component`: its type, where the item is one.
  Result<Item> described(const ast::ExternDesc& desc, std::string_view name, Environment& env,
                         std::optional<ScopeType>& component) {
    switch (desc.kind) {
    case ast::ExternKind::CoreModule: return Item(ModuleItem{});
    case ast::ExternKind::Func: return Item(FunctionItem{CUSP_TRY(node(env, desc.index))});
    case ast::ExternKind::TypeEq:
      return Item(TypeItem{arena_.add(NamedNode{std::string(name), CUSP_TRY(node(env, desc.index))})});
    case ast::ExternKind::TypeSub: return Item(TypeItem{arena_.add(NamedNode{std::string(name), {}})});
    case ast::ExternKind::Instance:
    case ast::ExternKind::Component: {
      TypeEntity entity = CUSP_TRY(at(env.types, desc.index, "type"));
      const auto* scope = std::get_if<ScopeType>(&entity);
      if (!scope || scope->is_instance != (desc.kind == ast::ExternKind::Instance))
        return invalid(fmt::format("type {} is of another sort than `{}` needs", desc.index, name));
      if (desc.kind == ast::ExternKind::Instance) {
        auto instance = std::make_shared<InstanceType>();
        instance->exports = CUSP_TRY(declared(*scope)).exports;
        return Item(std::move(instance));
      }
      component = *scope;
      auto type = std::make_shared<ComponentType>();
      *type = CUSP_TRY(declared(*scope));
      return Item(std::move(type));
    }
    case ast::ExternKind::Value: break;
    }
    return fail(ErrorCode::Unsupported, "values are not supported");
  }

  Result<void> define(const ast::Import& import, Frame& frame) {
    if (frame.arguments) {
      for (const Extern& argument : *frame.arguments) {
        if (argument.name != import.name.text) continue;
        std::optional<ScopeType> component;
        if (import.desc.kind == ast::ExternKind::Component)
          CUSP_TRY(described(import.desc, import.name.text, frame.env, component));
        push(frame.env, argument.item, component ? &*component : nullptr);
        return {};
      }
      if (import.desc.kind == ast::ExternKind::CoreModule) return {}; // given as a core item
      return invalid(fmt::format("missing instantiation argument `{}`", import.name.text));
    }
    std::optional<ScopeType> component;
    Item item = CUSP_TRY(described(import.desc, import.name.text, frame.env, component));
    push(frame.env, item, component ? &*component : nullptr);
    frame.out.imports.push_back(named(import.name, std::move(item)));
    return {};
  }

  Result<void> define(const ast::Export& entry, Frame& frame) {
    Environment& env = frame.env;
    std::optional<ScopeType> component;
    std::optional<Item> item;
    if (!frame.declaring) {
      item = CUSP_TRY(item_at(env, entry.what));
      if (entry.what.sort == ast::Sort::Component) component = env.components[entry.what.index];
    }
    // An ascribed type is what others see; a resource stays the one it is.
    if (entry.desc && (frame.declaring || entry.desc->kind != ast::ExternKind::TypeSub))
      item = CUSP_TRY(described(*entry.desc, entry.name.text, env, component));
    else if (const auto* type = item ? std::get_if<TypeItem>(&*item) : nullptr)
      item = Item(TypeItem{arena_.add(NamedNode{std::string(entry.name.text), type->type})});
    if (!item) item = Item(ModuleItem{});
    if (std::holds_alternative<DefinitionItem>(*item)) env.types.push_back(env.types[entry.what.index]);
    else push(env, *item, component ? &*component : nullptr);
    frame.out.exports.push_back(named(entry.name, std::move(*item)));
    return {};
  }

  TypeArena& arena_;
  std::deque<Environment> environments_;
  std::uint64_t offset_ = 0;
  std::size_t executed_ = 0;
  unsigned nesting_ = 0;
};

} // namespace

const Item* InstanceType::find(std::string_view name) const {
  for (const Extern& entry : exports)
    if (entry.name == name) return &entry.item;
  return nullptr;
}

NodeId TypeArena::add(Node node) {
  nodes.push_back(std::move(node));
  return NodeId(static_cast<std::uint32_t>(nodes.size() - 1));
}

Result<DecodedType> component_type(const component::Decoded& decoded) {
  DecodedType result;
  result.component = CUSP_TRY(Evaluator(result.arena).run(decoded.root->definitions, nullptr, nullptr, 0, false));
  return result;
}

} // namespace cusp::compose
