#include "embed/value.h"

#include <algorithm>

#include "canon/wave.h"

namespace cusp {

using detail::ResourceAccess;

namespace {

bool is_handle(TypeKind kind) { return kind == TypeKind::Own || kind == TypeKind::Borrow; }

// Everything but handles.
canon::Value plain(const Value& value) {
  canon::Value made;
  made.kind = static_cast<component::TypeKind>(value.kind);
  made.ok = value.ok;
  made.bits = value.bits;
  made.text = value.text;
  made.labels = value.labels;
  for (const Value& item : value.items) made.items.push_back(plain(item));
  return made;
}

base::Result<void> add_handles(canon::Value& made, const Value& value, const canon::ComponentInstance& component,
                               std::vector<detail::GuestHandle*>& taken) {
  for (std::size_t i = 0; i < value.items.size(); ++i)
    CUSP_TRY(add_handles(made.items[i], value.items[i], component, taken));
  if (!is_handle(value.kind)) return {};
  if (const auto& type = ResourceAccess::type_of(value.type)) {
    made.resource = &type->type;
    return {};
  }
  detail::GuestHandle* handle = value.handle ? ResourceAccess::handle(*value.handle) : nullptr;
  const char* wrong =
      handle ? ResourceAccess::misfit(handle, component, *handle->type) : "the host gave an empty resource";
  if (wrong) return base::fail(base::ErrorCode::InvalidArgument, wrong);
  made.resource = handle->type, made.bits = handle->rep;
  if (value.kind == TypeKind::Own) {
    handle->held = false;
    taken.push_back(handle);
  }
  return {};
}

} // namespace

namespace embed {

base::Result<canon::Value> to_canon(const Value& value, const canon::ComponentInstance& component,
                                    std::vector<detail::GuestHandle*>& taken) {
  canon::Value made = plain(value);
  CUSP_TRY(add_handles(made, value, component, taken));
  return made;
}

Value to_public(canon::Value value, const canon::ComponentInstance& component) {
  Value made;
  made.kind = static_cast<TypeKind>(value.kind);
  made.ok = value.ok;
  made.bits = value.bits;
  made.text = std::move(value.text);
  made.labels = std::move(value.labels);
  for (canon::Value& item : value.items) made.items.push_back(to_public(std::move(item), component));
  if (!is_handle(made.kind)) return made;
  if (!value.resource->is_host) {
    made.bits = 0;
    made.handle = std::make_shared<Resource>(ResourceAccess::make(component, *value.resource, value.bits));
  } else if (const auto* dynamic = detail::DynamicResource::of(*value.resource)) {
    ResourceAccess::type_of(made.type) = dynamic->shared_from_this();
  }
  return made;
}

} // namespace embed

const Value* Value::field(std::string_view name) const {
  auto found = std::find(labels.begin(), labels.end(), name);
  if (kind != TypeKind::Record || found == labels.end()) return nullptr;
  return &items[static_cast<std::size_t>(found - labels.begin())];
}

std::string Value::to_string() const { return canon::to_wave(plain(*this)); }

bool Value::operator==(const Value& other) const {
  if (is_handle(kind))
    return kind == other.kind && bits == other.bits && handle == other.handle &&
           ResourceAccess::type_of(type) == ResourceAccess::type_of(other.type);
  if (items.size() != other.items.size() || !std::equal(items.begin(), items.end(), other.items.begin())) return false;
  return plain(*this) == plain(other);
}

} // namespace cusp
