#include "compose/type_encoder.h"

#include <fmt/format.h>

namespace cusp::compose {

using base::ErrorCode;
using base::Result;

namespace {

std::uint8_t primitive_code(wit::Primitive primitive) {
  if (primitive == wit::Primitive::ErrorContext) return 0x64;
  return static_cast<std::uint8_t>(0x7f - static_cast<unsigned>(primitive));
}

} // namespace

Result<Bytes> TypeEncoder::value(wit::Type type) {
  if (const auto* primitive = std::get_if<wit::Primitive>(&type)) return Bytes{primitive_code(*primitive)};
  Bytes bytes;
  bytes.s64(CUSP_TRY(index(std::get<wit::TypeId>(type))));
  return bytes;
}

Result<std::uint32_t> TypeEncoder::index(wit::TypeId id) {
  const wit::TypeDef& def = graph_.type(id);
  if (graph_.is_resource(id)) return handle(id, true);
  if (!def.name.empty()) return named_(id);
  if (const auto* borrow = std::get_if<wit::Borrow>(&def.kind)) return handle(borrow->resource, false);
  if (auto found = anonymous_.find(id); found != anonymous_.end()) return found->second;
  std::uint32_t index = CUSP_TRY(definition(id));
  anonymous_[id] = index;
  return index;
}

Result<std::uint32_t> TypeEncoder::handle(wit::TypeId resource, bool owned) {
  std::uint32_t target = CUSP_TRY(named_(resource));
  auto [found, fresh] = handles_.try_emplace({target, owned}, 0);
  if (fresh) found->second = scope_.type(Bytes{static_cast<std::uint8_t>(owned ? 0x69 : 0x68)}.u32(target));
  return found->second;
}

Result<std::uint32_t> TypeEncoder::definition(wit::TypeId id) {
  Bytes bytes = CUSP_TRY(definition_bytes(graph_.type(id)));
  return scope_.type(bytes);
}

Result<void> TypeEncoder::optional(Bytes& out, const std::optional<wit::Type>& type) {
  out.u8(type ? 1 : 0);
  if (type) out.append(CUSP_TRY(value(*type)));
  return {};
}

Result<Bytes> TypeEncoder::labels(std::uint8_t form, const std::vector<wit::Member>& members, std::string_view name) {
  if (members.empty())
    return base::fail(ErrorCode::Invalid, fmt::format("`{}` has no members, and components need one at least", name));
  if (form == 0x6e && members.size() > 32)
    return base::fail(ErrorCode::Invalid, fmt::format("flags `{}` have more than 32 labels", name));
  Bytes bytes{form};
  bytes.u32(members.size());
  for (const wit::Member& member : members) {
    bytes.name(member.name);
    if (form == 0x72) bytes.append(CUSP_TRY(value(*member.type)));
    if (form != 0x71) continue;
    CUSP_TRY(optional(bytes, member.type));
    bytes.u8(0);
  }
  return bytes;
}

Result<Bytes> TypeEncoder::definition_bytes(const wit::TypeDef& def) {
  if (const auto* kind = std::get_if<wit::Record>(&def.kind)) return labels(0x72, kind->fields, def.name);
  if (const auto* kind = std::get_if<wit::Variant>(&def.kind)) return labels(0x71, kind->cases, def.name);
  if (const auto* kind = std::get_if<wit::Flags>(&def.kind)) return labels(0x6e, kind->labels, def.name);
  if (const auto* kind = std::get_if<wit::Enum>(&def.kind)) return labels(0x6d, kind->cases, def.name);
  if (const auto* kind = std::get_if<wit::Alias>(&def.kind)) {
    // A resource's alias is the handle here; who wants the resource asks for the name.
    if (const auto* id = std::get_if<wit::TypeId>(&kind->type); id && graph_.type(*id).name.empty())
      return definition_bytes(graph_.type(*id));
    if (const auto* primitive = std::get_if<wit::Primitive>(&kind->type)) return Bytes{primitive_code(*primitive)};
    return base::fail(ErrorCode::Internal, fmt::format("type `{}` is another's alias", def.name));
  }
  if (const auto* kind = std::get_if<wit::Tuple>(&def.kind)) {
    Bytes bytes{0x6f};
    bytes.u32(kind->types.size());
    for (wit::Type part : kind->types) bytes.append(CUSP_TRY(value(part)));
    return bytes;
  }
  if (const auto* kind = std::get_if<wit::List>(&def.kind)) {
    Bytes bytes{static_cast<std::uint8_t>(kind->length ? 0x67 : 0x70)};
    bytes.append(CUSP_TRY(value(kind->element)));
    if (kind->length) bytes.u32(*kind->length);
    return bytes;
  }
  if (const auto* kind = std::get_if<wit::Map>(&def.kind))
    return Bytes{0x63}.append(CUSP_TRY(value(kind->key))).append(CUSP_TRY(value(kind->value)));
  if (const auto* kind = std::get_if<wit::Option>(&def.kind)) return Bytes{0x6b}.append(CUSP_TRY(value(kind->type)));
  Bytes bytes;
  if (const auto* kind = std::get_if<wit::ResultType>(&def.kind)) {
    bytes.u8(0x6a);
    CUSP_TRY(optional(bytes, kind->ok));
    CUSP_TRY(optional(bytes, kind->error));
  } else if (const auto* kind = std::get_if<wit::Stream>(&def.kind)) {
    bytes.u8(0x66);
    CUSP_TRY(optional(bytes, kind->element));
  } else if (const auto* kind = std::get_if<wit::Future>(&def.kind)) {
    bytes.u8(0x65);
    CUSP_TRY(optional(bytes, kind->element));
  } else if (const auto* kind = std::get_if<wit::Own>(&def.kind)) {
    bytes.u8(0x69).u32(CUSP_TRY(named_(kind->resource)));
  } else if (const auto* kind = std::get_if<wit::Borrow>(&def.kind)) {
    bytes.u8(0x68).u32(CUSP_TRY(named_(kind->resource)));
  } else {
    return base::fail(ErrorCode::Internal, fmt::format("resource `{}` has no definition here", def.name));
  }
  return bytes;
}

Result<std::uint32_t> TypeEncoder::function(const wit::Function& function) {
  Bytes bytes{static_cast<std::uint8_t>(function.is_async ? 0x43 : 0x40)};
  bytes.u32(function.params.size());
  for (const wit::Param& param : function.params) bytes.name(param.name).append(CUSP_TRY(value(param.type)));
  if (function.result) bytes.u8(0).append(CUSP_TRY(value(*function.result)));
  else bytes.u8(1).u8(0);
  return scope_.type(bytes);
}

} // namespace cusp::compose
