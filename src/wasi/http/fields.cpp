#include "wasi/http/fields.h"

namespace cusp::wasi {

std::optional<std::string_view> FieldList::find(std::string_view wanted) const {
  for (std::size_t i = 0; i < entries_.size(); ++i)
    if (http::equals_ignoring_case(name(i), wanted)) return value(i);
  return std::nullopt;
}

std::optional<std::string_view> FieldList::name_like(std::string_view wanted) const {
  for (std::size_t i = 0; i < entries_.size(); ++i)
    if (http::equals_ignoring_case(name(i), wanted)) return name(i);
  return std::nullopt;
}

void FieldList::add(std::string_view name, std::string_view value) {
  if (entries_.empty()) {
    entries_.reserve(8);
    bytes_.reserve(256);
  }
  auto at = static_cast<std::uint32_t>(bytes_.size());
  auto name_size = static_cast<std::uint32_t>(name.size());
  bytes_.append(name).append(value);
  entries_.push_back({at, name_size, at + name_size, static_cast<std::uint32_t>(value.size())});
}

void FieldList::add_lower_case(std::string_view name, std::string_view value) {
  std::size_t at = bytes_.size();
  add(name, value);
  for (std::size_t i = at; i < at + name.size(); ++i)
    if (bytes_[i] >= 'A' && bytes_[i] <= 'Z') bytes_[i] = static_cast<char>(bytes_[i] + ('a' - 'A'));
}

void FieldList::remove(std::string_view wanted) {
  auto removed = std::erase_if(entries_, [&](const Entry& entry) {
    return http::equals_ignoring_case(std::string_view(bytes_).substr(entry.name, entry.name_size), wanted);
  });
  if (removed == 0) return;
  std::string kept; // without what was removed: it would count against the limit
  for (Entry& entry : entries_) {
    auto at = static_cast<std::uint32_t>(kept.size());
    kept.append(bytes_, entry.name, entry.name_size).append(bytes_, entry.value, entry.value_size);
    entry.name = at, entry.value = at + entry.name_size;
  }
  bytes_ = std::move(kept);
}

void FieldList::add_incoming(const http::Headers& headers) {
  std::size_t bytes = 0;
  for (const http::Header& header : headers.entries()) bytes += header.name.size() + header.value.size();
  bytes_.reserve(bytes);
  entries_.reserve(headers.entries().size());
  for (const http::Header& header : headers.entries())
    if (!is_forbidden_field(header.name)) add_lower_case(header.name, header.value);
}

Ref<FieldList> FieldList::copy() const {
  auto list = make_ref<FieldList>();
  list->bytes_ = bytes_;
  list->entries_ = entries_;
  return list;
}

bool is_forbidden_field(std::string_view name) {
  static constexpr std::string_view kForbidden[] = {
      "connection",       "host", "http2-settings",    "keep-alive", "proxy-authenticate", "proxy-authorization",
      "proxy-connection", "te",   "transfer-encoding", "upgrade"};
  for (std::string_view forbidden : kForbidden)
    if (name.size() == forbidden.size() && http::equals_ignoring_case(name, forbidden)) return true;
  return false;
}

FieldProblem check_field(std::string_view name) {
  if (!http::is_token(name)) return FieldProblem::InvalidSyntax;
  return is_forbidden_field(name) ? FieldProblem::Forbidden : FieldProblem::None;
}

bool is_valid_value(std::string_view value) {
  // White space around a value carries no meaning and is taken as it is.
  while (!value.empty() && (value.front() == ' ' || value.front() == '\t')) value.remove_prefix(1);
  while (!value.empty() && (value.back() == ' ' || value.back() == '\t')) value.remove_suffix(1);
  return http::is_field_value(value);
}

FieldProblem Fields::append(std::string_view name, std::string_view value) {
  if (FieldProblem problem = check_field(name); problem != FieldProblem::None) return problem;
  if (!is_valid_value(value)) return FieldProblem::InvalidSyntax;
  if (immutable_) return FieldProblem::Immutable;
  if (list_->full(name.size() + value.size())) return FieldProblem::SizeExceeded;
  // Names are the same whatever their case: a further value goes by the name that the first one made.
  if (auto known = list_->name_like(name)) list_->add(std::string(*known), value);
  else list_->add(name, value);
  return FieldProblem::None;
}

FieldProblem Fields::set(std::string_view name, std::span<const std::string_view> values) {
  if (FieldProblem problem = check_field(name); problem != FieldProblem::None) return problem;
  std::size_t size = 0;
  for (std::string_view value : values) {
    if (!is_valid_value(value)) return FieldProblem::InvalidSyntax;
    size += name.size() + value.size();
  }
  if (immutable_) return FieldProblem::Immutable;
  if (list_->full(size)) return FieldProblem::SizeExceeded;
  list_->remove(name);
  for (std::string_view value : values) list_->add(name, value);
  return FieldProblem::None;
}

FieldProblem Fields::remove(std::string_view name) {
  if (FieldProblem problem = check_field(name); problem != FieldProblem::None) return problem;
  if (immutable_) return FieldProblem::Immutable;
  list_->remove(name);
  return FieldProblem::None;
}

} // namespace cusp::wasi
