// Header fields and trailers: an ordered list of names and values in one buffer. Names of incoming messages are lower-case, those that a
// guest makes keep its casing; comparison ignores case. Spec: wasi:http/types, resource fields.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "http/message.h"
#include "wasi/io/ref.h"

namespace cusp::wasi {

enum class FieldProblem : std::uint8_t { InvalidSyntax, Forbidden, Immutable, SizeExceeded, None };

inline constexpr std::size_t kMaxFieldBytes = 128 * 1024; // of one list, names and values

class FieldList final : public Counted {
public:
  struct Entry {
    std::uint32_t name, name_size, value, value_size; // places in bytes_
  };

  std::size_t size() const { return entries_.size(); }
  std::string_view name(std::size_t i) const {
    return std::string_view(bytes_).substr(entries_[i].name, entries_[i].name_size);
  }
  std::string_view value(std::size_t i) const {
    return std::string_view(bytes_).substr(entries_[i].value, entries_[i].value_size);
  }
  std::optional<std::string_view> find(std::string_view name) const;
  // The same name as the list writes it.
  std::optional<std::string_view> name_like(std::string_view name) const;
  // Whether another field of this size is too much.
  bool full(std::size_t more) const { return bytes_.size() + more > kMaxFieldBytes; }

  void add(std::string_view name, std::string_view value);
  void add_lower_case(std::string_view name, std::string_view value);
  void remove(std::string_view name);

  // What an incoming message has, without the fields that belong to the connection.
  void add_incoming(const http::Headers& headers);
  Ref<FieldList> copy() const;

private:
  std::string bytes_;
  std::vector<Entry> entries_;
};

// Fields that belong to the connection, not to the message: no guest sets or sees them.
bool is_forbidden_field(std::string_view name);
FieldProblem check_field(std::string_view name);
bool is_valid_value(std::string_view value);

// The guest's handle.
class Fields {
public:
  explicit Fields(Ref<FieldList> list, bool immutable = false) : list_(std::move(list)), immutable_(immutable) {}
  FieldList& list() const { return *list_; }
  const Ref<FieldList>& shared() const { return list_; }
  bool immutable() const { return immutable_; }

  FieldProblem append(std::string_view name, std::string_view value);
  FieldProblem set(std::string_view name, std::span<const std::string_view> values);
  FieldProblem remove(std::string_view name);

private:
  Ref<FieldList> list_;
  bool immutable_;
};

} // namespace cusp::wasi
