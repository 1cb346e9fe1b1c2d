// guests/guest.cpp, compiled once per test program, and a host that gives back what it is given.
#pragma once

#include <cstdlib>

#include <gtest/gtest.h>

#include "cusp/cusp.hpp"

namespace shapes {

struct Point {
  std::int32_t x = 0, y = 0;
  bool operator==(const Point&) const = default;
};
CUSP_RECORD(Point, x, y)
enum class Color : std::uint8_t { Red, Green, Blue };
CUSP_ENUM(Color, "red", "green", "blue")
enum class Access : std::uint8_t { Read = 1, Write = 2, Run = 4 };
CUSP_FLAGS(Access, "read", "write", "run")
using Shape = std::variant<std::monostate, double, std::vector<Point>, std::string>;
struct Item {
  std::uint64_t id = 0;
  std::string name;
  std::vector<std::string> tags;
  std::optional<Point> at;
  bool operator==(const Item&) const = default;
};
CUSP_RECORD(Item, id, name, tags, at)

} // namespace shapes

namespace cusp::test {

inline constexpr const char* kEcho = "test:embed/echo@1.2.0";
inline constexpr const char* kHostThings = "test:embed/host-things@1.2.0";
inline constexpr const char* kFaults = "test:embed/faults@1.2.0";
inline constexpr const char* kThings = "test:embed/things@1.2.0";

inline const Engine& engine() {
  static const Engine made = [] {
    EngineSettings settings;
    settings.opt_level = 1;
    return Engine::create(settings).value();
  }();
  return made;
}

inline std::string guest_path(const std::string& name) {
  return std::string(std::getenv("CUSP_BUILD_DIR")) + "/guests/" + name + ".wasm";
}

inline const Component& guest() {
  static const Component made = [] {
    auto loaded = Component::load(engine(), guest_path("embed"));
    if (!loaded) throw std::runtime_error(loaded.error().to_string());
    return *std::move(loaded);
  }();
  return made;
}

struct Counter {
  std::uint32_t count = 0;
  std::uint32_t* deleted = nullptr;
  ~Counter() {
    if (deleted) ++*deleted;
  }
};

template <class T> T same(T value) { return value; }

inline void add_echo(Interface echo) {
  using namespace shapes;
  echo.func("scalars", [](bool a, std::int8_t b, std::uint8_t c, std::int16_t d, std::uint16_t e, std::int32_t f,
                          std::uint32_t g, std::int64_t h, std::uint64_t i, float j, double k) {
    return a + b + c + d + e + f + static_cast<double>(g) + static_cast<double>(h) + static_cast<double>(i) + j + k;
  });
  echo.func("echo-bool", &same<bool>).func("echo-s8", &same<std::int8_t>).func("echo-u64", &same<std::uint64_t>);
  echo.func("echo-f32", &same<float>).func("echo-char", &same<char32_t>).func("echo-string", &same<std::string>);
  echo.func("echo-bytes",
            [](std::span<const std::uint8_t> v) { return std::vector<std::uint8_t>(v.begin(), v.end()); });
  echo.func("echo-bools", &same<std::vector<bool>>).func("echo-points", &same<std::vector<Point>>);
  echo.func("echo-item", &same<Item>).func("echo-color", &same<Color>).func("echo-access", &same<Access>);
  echo.func("echo-shape", &same<Shape>).func("echo-option", &same<std::optional<std::string>>);
  echo.func("echo-result", &same<std::expected<std::uint32_t, std::string>>);
  echo.func("echo-unit", &same<std::expected<void, std::monostate>>);
  echo.func("echo-tuple", &same<std::tuple<std::uint8_t, std::string, float>>);
  echo.func("many", [](std::string_view a, std::string_view b, std::string_view c, std::string_view d,
                       std::string_view e, std::string_view f, std::string_view g, std::string_view h,
                       std::uint32_t i) {
    return std::string(a).append(b).append(c).append(d).append(e).append(f).append(g).append(h) + std::to_string(i);
  });
}

inline void add_host_things(Interface things, std::uint32_t* deleted = nullptr) {
  things.resource<Counter>("counter");
  things.func("[method]counter.add", [](Borrow<Counter> self, std::uint32_t n) { return self->count += n; });
  things.func("make", [deleted](std::uint32_t start) { return make_own<Counter>(start, deleted); });
  things.func("take", [](Own<Counter> counter) { return counter->count; });
  things.func("fail", [](std::string message) -> HostResult<void> { return trap(std::move(message)); });
  things.func("nap", [](std::uint32_t milliseconds) {
    sleep_for(std::chrono::milliseconds(milliseconds));
    return milliseconds;
  });
}

inline Linker full_linker(std::uint32_t* deleted = nullptr) {
  Linker linker(engine());
  add_echo(linker.instance(kEcho));
  add_host_things(linker.instance(kHostThings), deleted);
  return linker;
}

template <class T> T must(Result<T> result) {
  if (result) {
    if constexpr (std::is_void_v<T>) return;
    else return *std::move(result);
  }
  throw std::runtime_error(result.error().to_string());
}

inline Instance make_instance(const Limits& limits = {}, std::uint32_t* deleted = nullptr) {
  return must(full_linker(deleted).instantiate(guest(), limits));
}

} // namespace cusp::test
