#include "embed/signature.h"

#include "canon/value_abi.h"
#include "component/layout.h"

namespace cusp {

using component::TypeDef;
using component::ValType;
using detail::TypeInfo;

static_assert(static_cast<unsigned>(TypeKind::Bool) == static_cast<unsigned>(component::TypeKind::Bool) &&
              static_cast<unsigned>(TypeKind::S8) == static_cast<unsigned>(component::TypeKind::S8) &&
              static_cast<unsigned>(TypeKind::U64) == static_cast<unsigned>(component::TypeKind::U64) &&
              static_cast<unsigned>(TypeKind::String) == static_cast<unsigned>(component::TypeKind::String) &&
              static_cast<unsigned>(TypeKind::FixedList) == static_cast<unsigned>(component::TypeKind::FixedList) &&
              static_cast<unsigned>(TypeKind::Tuple) == static_cast<unsigned>(component::TypeKind::Tuple) &&
              static_cast<unsigned>(TypeKind::Enum) == static_cast<unsigned>(component::TypeKind::Enum) &&
              static_cast<unsigned>(TypeKind::Flags) == static_cast<unsigned>(component::TypeKind::Flags) &&
              static_cast<unsigned>(TypeKind::Map) == static_cast<unsigned>(component::TypeKind::Map) &&
              static_cast<unsigned>(TypeKind::Own) == static_cast<unsigned>(component::TypeKind::Own) &&
              static_cast<unsigned>(TypeKind::ErrorContext) ==
                  static_cast<unsigned>(component::TypeKind::ErrorContext));

namespace embed {

class SignatureMaker {
public:
  SignatureMaker(Signature& signature, detail::EngineState& engine)
      : types_(signature.types_), builder_(signature.types_), engine_(engine) {}

  // Null: too large.
  std::unique_ptr<Node> node(const TypeInfo& info) {
    auto node = std::make_unique<Node>();
    node->info = &info;
    node->kind = static_cast<component::TypeKind>(info.kind);
    std::optional<ValType> type = define(info, *node);
    if (!type) return nullptr;
    node->is_plain = node->kind > component::TypeKind::Bool && node->kind < component::TypeKind::F32;
    node->size = types_.size(*type), node->alignment = types_.alignment(*type);
    node->flat_count = types_.flat_count(*type);
    if (component::has_layout(type->kind)) place_parts(*node, types_.defs[type->index]);
    if (info.resource) node->resource = engine_.resource_type(*info.resource);
    node->desc = {node->kind, node->desc_members, info.labels, node->resource};
    type_ = *type;
    return node;
  }

private:
  // The type as the table has it; makes the nodes of its members on the way.
  std::optional<ValType> define(const TypeInfo& info, Node& node) {
    using Kind = component::TypeKind;
    if (node.kind <= Kind::String) return ValType{node.kind, 0};
    if (node.kind == Kind::Own || node.kind == Kind::Borrow) return ValType{node.kind, 0};
    TypeDef def;
    def.kind = node.kind;
    std::vector<std::optional<ValType>> members;
    for (const TypeInfo* member : info.members) {
      Part part;
      if (member && !(part.node = this->node(*member))) return std::nullopt;
      members.push_back(member ? std::optional(type_) : std::nullopt);
      node.desc_members.push_back(part.node ? &part.node->desc : nullptr);
      node.parts.push_back(std::move(part));
    }
    switch (node.kind) {
    case Kind::List: def.element = members[0]; break;
    case Kind::Option: // C++ has a case for none, its type none
      def.element = members[1];
      node.desc_members.erase(node.desc_members.begin());
      break;
    case Kind::Result: def.element = members[0], def.error = members[1]; break;
    case Kind::Record:
    case Kind::Tuple:
    case Kind::Variant:
      for (std::size_t i = 0; i < members.size(); ++i)
        def.labels.push_back({i < info.labels.size() ? std::string(info.labels[i]) : std::string(), members[i]});
      break;
    default:
      for (std::string_view label : info.labels) def.labels.push_back({std::string(label), {}});
    }
    return builder_.define(std::move(def));
  }

  void place_parts(Node& node, const TypeDef& def) {
    using Kind = component::TypeKind;
    node.discriminant_size = def.discriminant_size;
    if (node.kind == Kind::Record || node.kind == Kind::Tuple) {
      std::vector<std::uint32_t> offsets(node.parts.size() + 1);
      if (node.info->offsets) node.info->offsets(offsets.data());
      std::uint32_t flat = 0;
      for (std::size_t i = 0; i < node.parts.size(); ++i) {
        Part& part = node.parts[i];
        part.cpp_offset = offsets[i], part.abi_offset = def.offsets[i], part.flat_offset = flat;
        flat += part.node->flat_count;
      }
    } else if (node.info->cases) {
      for (Part& part : node.parts) part.abi_offset = def.offsets[0], part.flat_offset = 1;
    }
  }

  component::TypeTable& types_;
  component::TypeBuilder builder_;
  detail::EngineState& engine_;
  ValType type_; // of the node made last
};

base::Result<std::shared_ptr<Signature>> Signature::make(const detail::FuncInfo& info, detail::EngineState& engine) {
  auto made = std::make_shared<Signature>();
  SignatureMaker maker(*made, engine);
  const TypeInfo params{.kind = TypeKind::Tuple, .members = info.params};
  made->params_ = maker.node(params);
  if (info.result) made->result_ = maker.node(*info.result);
  if (!made->params_ || (info.result && !made->result_))
    return base::fail(base::ErrorCode::Unsupported, "a type of the function is too large for the canonical ABI");
  made->params_->info = nullptr; // it was on this stack; whoever calls has each parameter at a place of its own
  for (const Part& part : made->params_->parts) made->desc_params_.push_back(&part.node->desc);
  made->desc_ = {made->desc_params_, made->result_ ? &made->result_->desc : nullptr};
  return made;
}

namespace {

void bind(Node& node, const component::TypeTable& types, ValType type,
          std::span<const canon::ResourceType* const> resources) {
  using Kind = component::TypeKind;
  if (type.kind == Kind::Own || type.kind == Kind::Borrow) {
    node.resource = resources[type.index];
    return;
  }
  if (node.parts.empty()) return;
  const TypeDef& def = types.defs[type.index];
  auto part = [&](std::size_t i, const std::optional<ValType>& member) {
    if (node.parts[i].node) bind(*node.parts[i].node, types, *member, resources);
  };
  switch (type.kind) {
  case Kind::Map:
    bind(*node.parts[0].node->parts[0].node, types, *def.element, resources);
    return bind(*node.parts[0].node->parts[1].node, types, *def.error, resources);
  case Kind::Variant:
  case Kind::Option:
  case Kind::Result:
    for (std::uint32_t i = 0; i < node.parts.size(); ++i) part(i, canon::case_payload(def, i));
    return;
  default:
    for (std::size_t i = 0; i < node.parts.size(); ++i) part(i, def.element ? def.element : def.labels[i].type);
  }
}

} // namespace

void Signature::bind_resources(const component::TypeTable& types, const component::FuncType& type,
                               std::span<const canon::ResourceType* const> resources) {
  for (std::size_t i = 0; i < params_->parts.size(); ++i)
    bind(*params_->parts[i].node, types, type.params[i].type, resources);
  if (result_) bind(*result_, types, *type.result, resources);
}

} // namespace embed
} // namespace cusp
