// The faces of wasi:http/types' fields. 0.2 and 0.3 differ in a few names, and in what becomes of fields that are too many: a trap in 0.2, which
// has no word for it.
#include "canon/bind.h"
#include "wasi/http/face.h"
#include "wasi/open_enum.h"

namespace cusp::wasi {

using canon::Borrow;
using canon::CallContext;
using canon::Own;

namespace {

using FieldValue = std::span<const std::uint8_t>;

std::string_view as_text(FieldValue bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }
FieldValue as_bytes(std::string_view text) { return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()}; }

struct Face2 {
  using Error = std::variant<std::monostate, std::monostate, std::monostate>; // invalid-syntax, forbidden, immutable
  static Error error(CallContext& cx, FieldProblem problem) {
    switch (problem) {
    case FieldProblem::Forbidden: return Error(std::in_place_index<1>);
    case FieldProblem::Immutable: return Error(std::in_place_index<2>);
    case FieldProblem::SizeExceeded: cx.trap("fields of more than 128 KiB"); break;
    default: break;
    }
    return {};
  }
};
struct Face3 {
  using Error = OpenEnum<4>; // the same, and size-exceeded
  static Error error(CallContext&, FieldProblem problem) { return {static_cast<std::uint32_t>(problem), std::nullopt}; }
};

template <class Face> using Change = std::expected<void, typename Face::Error>;

template <class Face> Change<Face> outcome(CallContext& cx, FieldProblem problem) {
  if (problem == FieldProblem::None) return {};
  return std::unexpected(Face::error(cx, problem));
}

template <class Face> std::expected<Own<Fields>, typename Face::Error>
from_list(CallContext& cx, std::vector<std::tuple<std::string_view, FieldValue>> entries) {
  auto fields = canon::make_own<Fields>(make_ref<FieldList>());
  for (const auto& [name, value] : entries)
    if (FieldProblem problem = fields->append(name, as_text(value)); problem != FieldProblem::None)
      return std::unexpected(Face::error(cx, problem));
  return fields;
}

std::vector<FieldValue> get(Borrow<Fields> self, std::string_view name) {
  std::vector<FieldValue> values;
  const FieldList& list = self->list();
  for (std::size_t i = 0; i < list.size(); ++i)
    if (http::equals_ignoring_case(list.name(i), name)) values.push_back(as_bytes(list.value(i)));
  return values;
}

template <class Face>
Change<Face> set(CallContext& cx, Borrow<Fields> self, std::string_view name, std::vector<FieldValue> values) {
  std::vector<std::string_view> texts;
  for (FieldValue value : values) texts.push_back(as_text(value));
  return outcome<Face>(cx, self->set(name, texts));
}

template <class Face>
Change<Face> append(CallContext& cx, Borrow<Fields> self, std::string_view name, FieldValue value) {
  return outcome<Face>(cx, self->append(name, as_text(value)));
}

template <class Face> Change<Face> remove(CallContext& cx, Borrow<Fields> self, std::string_view name) {
  return outcome<Face>(cx, self->remove(name));
}

std::expected<std::vector<std::vector<std::uint8_t>>, Face3::Error> get_and_delete(CallContext& cx, Borrow<Fields> self,
                                                                                   std::string_view name) {
  std::vector<std::vector<std::uint8_t>> values;
  for (FieldValue value : get(self, name)) values.emplace_back(value.begin(), value.end());
  if (FieldProblem problem = self->remove(name); problem != FieldProblem::None)
    return std::unexpected(Face3::error(cx, problem));
  return values;
}

std::vector<std::tuple<std::string_view, FieldValue>> entries(Borrow<Fields> self) {
  const FieldList& list = self->list();
  std::vector<std::tuple<std::string_view, FieldValue>> all;
  all.reserve(list.size());
  for (std::size_t i = 0; i < list.size(); ++i) all.emplace_back(list.name(i), as_bytes(list.value(i)));
  return all;
}

template <class Face> void add_shared(canon::LinkerInstance& types) {
  types.resource<Fields>("fields")
      .func("[constructor]fields", [] { return canon::make_own<Fields>(make_ref<FieldList>()); })
      .func("[static]fields.from-list", &from_list<Face>)
      .func("[method]fields.get", &get)
      .func("[method]fields.has",
            [](Borrow<Fields> self, std::string_view name) { return self->list().find(name).has_value(); })
      .func("[method]fields.set", &set<Face>)
      .func("[method]fields.delete", &remove<Face>)
      .func("[method]fields.append", &append<Face>)
      .func("[method]fields.clone", [](Borrow<Fields> self) { return canon::make_own<Fields>(self->list().copy()); });
}

} // namespace

void add_fields(canon::LinkerInstance& types) {
  add_shared<Face2>(types);
  types.func("[method]fields.entries", &entries);
}

void add_fields_3(canon::LinkerInstance& types) {
  add_shared<Face3>(types);
  types.func("[method]fields.copy-all", &entries).func("[method]fields.get-and-delete", &get_and_delete);
}

} // namespace cusp::wasi
