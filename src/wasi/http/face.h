// What the files of wasi:http's faces share.
#pragma once

#include <variant>

#include "canon/bind.h"
#include "wasi/http/types.h"

namespace cusp::wasi {

// result<T>: an error without a payload, for what can be had once.
template <class T> using Once = std::expected<T, std::monostate>;
using Plain = std::expected<void, std::monostate>;
inline std::unexpected<std::monostate> once_only() { return std::unexpected(std::monostate()); }
inline std::unexpected<std::monostate> refused() { return std::unexpected(std::monostate()); }

template <class Text> using Method =
    std::variant<std::monostate, std::monostate, std::monostate, std::monostate, std::monostate, std::monostate,
                 std::monostate, std::monostate, std::monostate, Text>;
template <class Text> using Scheme = std::variant<std::monostate, std::monostate, Text>;

inline constexpr std::string_view kMethods[] = {"GET",     "HEAD",    "POST",  "PUT",  "DELETE",
                                                "CONNECT", "OPTIONS", "TRACE", "PATCH"};

template <class Text> Method<Text> to_method(std::string_view name) {
  if (name == kMethods[0]) return Method<Text>(std::in_place_index<0>);
  if (name == kMethods[1]) return Method<Text>(std::in_place_index<1>);
  if (name == kMethods[2]) return Method<Text>(std::in_place_index<2>);
  if (name == kMethods[3]) return Method<Text>(std::in_place_index<3>);
  if (name == kMethods[4]) return Method<Text>(std::in_place_index<4>);
  if (name == kMethods[5]) return Method<Text>(std::in_place_index<5>);
  if (name == kMethods[6]) return Method<Text>(std::in_place_index<6>);
  if (name == kMethods[7]) return Method<Text>(std::in_place_index<7>);
  if (name == kMethods[8]) return Method<Text>(std::in_place_index<8>);
  return Method<Text>(std::in_place_index<9>, name);
}
template <class Text> std::string_view method_name(const Method<Text>& method) {
  return method.index() < 9 ? kMethods[method.index()] : std::string_view(std::get<9>(method));
}

template <class Text> Scheme<Text> to_scheme(std::string_view name) {
  if (name == "http") return Scheme<Text>(std::in_place_index<0>);
  if (name == "https") return Scheme<Text>(std::in_place_index<1>);
  return Scheme<Text>(std::in_place_index<2>, name);
}
template <class Text> std::string_view scheme_name(const Scheme<Text>& scheme) {
  return scheme.index() == 0 ? "http" : scheme.index() == 1 ? "https" : std::string_view(std::get<2>(scheme));
}

// The accessors of a request's parts; R is a RequestTarget.
template <class R> Method<std::string_view> get_method(canon::Borrow<R> self) {
  return to_method<std::string_view>(self->method);
}
template <class R> Plain set_method(canon::Borrow<R> self, Method<std::string> method) {
  return self->set_method(method_name(method)) ? Plain() : refused();
}
inline std::optional<std::string_view> view(const std::optional<std::string>& text) {
  if (!text) return std::nullopt;
  return *text;
}
template <class R> std::optional<std::string_view> get_path(canon::Borrow<R> self) {
  return view(self->path_with_query);
}
template <class R> Plain set_path(canon::Borrow<R> self, std::optional<std::string> path) {
  return self->set_path_with_query(std::move(path)) ? Plain() : refused();
}
template <class R> std::optional<Scheme<std::string_view>> get_scheme(canon::Borrow<R> self) {
  if (!self->scheme) return std::nullopt;
  return to_scheme<std::string_view>(*self->scheme);
}
template <class R> Plain set_scheme(canon::Borrow<R> self, std::optional<Scheme<std::string>> scheme) {
  std::optional<std::string_view> name;
  if (scheme) name = scheme_name(*scheme);
  return self->set_scheme(name) ? Plain() : refused();
}
template <class R> std::optional<std::string_view> get_authority(canon::Borrow<R> self) {
  return view(self->authority);
}
template <class R> Plain set_authority(canon::Borrow<R> self, std::optional<std::string> authority) {
  return self->set_authority(std::move(authority)) ? Plain() : refused();
}

void add_fields(canon::LinkerInstance& types);
void add_fields_3(canon::LinkerInstance& types);
void add_http_3(canon::Linker& linker);
void add_outgoing_request(canon::LinkerInstance& types);
void add_outgoing_handler(canon::Linker& linker);

} // namespace cusp::wasi
