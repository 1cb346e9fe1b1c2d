// Host functions as plain C++: calling them through their thunks, and comparing their types with a component's.
#include "canon/bind.h"
#include "canon/guest_memory.h"
#include "canon/type_builder.h"

namespace cusp::canon {
namespace shapes {
struct Point {
  std::int32_t x = 0, y_ = 0;
};
CUSP_RECORD(Point, x, y_)
enum class Fault : std::uint8_t { NotFound, Access };
CUSP_ENUM(Fault, "not-found", "access")
struct File {
  std::string name;
};
struct Socket {};
} // namespace shapes
namespace {
using namespace shapes;
using component::TypeKind;

std::uint32_t add(std::uint32_t a, std::uint32_t b) { return a + b; }
std::expected<std::string, Fault> name_of(CallContext&, Borrow<File> self, bool fail) {
  if (fail) return std::unexpected(Fault::Access);
  return self->name;
}
HostResult<std::expected<std::uint8_t, Fault>> strict(std::uint8_t n) {
  if (n > 9) return trap("too large");
  if (n > 5) return std::expected<std::uint8_t, Fault>(std::unexpected(Fault::NotFound));
  return n;
}
void sum(CallContext& cx, std::vector<Point> points) {
  for (Point p : points)
    if (p.x < 0) return cx.trap("negative");
}
std::uint64_t many(std::string_view a, std::string_view b, std::uint64_t c, std::optional<std::uint64_t> d,
                   std::array<std::uint8_t, 6> e, Point f, std::span<const std::uint8_t> g) {
  return a.size() + b.size() + c + d.value_or(0) + e[5] + static_cast<std::uint64_t>(f.x) + g.size();
}

struct Bound {
  Linker linker;
  LinkerInstance& io = linker.instance("test:io/all@0.2.12");
  GuestMemory memory;
  abi::ValRaw values[17]{};
  std::optional<Trap> run(std::string_view name) {
    const HostFuncDef* def = io.find_func(name);
    Use cx(memory);
    def->thunk(cx, def->callable.get(), values);
    if (cx.trapped()) return cx.trap_info();
    return std::nullopt;
  }
};

TEST(Bind, ScalarsTravelInSlots) {
  Bound b;
  int base = 40;
  b.io.func("add", &add).func("lambda", [base](std::uint8_t n) -> std::int64_t { return base + n; });
  b.values[0].i64 = 40, b.values[1].i64 = 2;
  EXPECT_FALSE(b.run("add"));
  EXPECT_EQ(b.values[0].i64, 42u);
  b.values[0].i64 = 2;
  EXPECT_FALSE(b.run("lambda"));
  EXPECT_EQ(b.values[0].i64, 42u);
}

TEST(Bind, WideResultsGoToTheAreaThatTheCallerGives) {
  Bound b;
  b.io.func("name", &name_of);
  {
    Use cx(b.memory);
    Abi<Own<File>>::lower_flat(cx, b.values, make_own<File>(File{"readme"}));
  }
  b.values[1].i64 = 0, b.values[2].i64 = 512;
  EXPECT_FALSE(b.run("name"));
  using R = std::expected<std::string, Fault>;
  Use cx(b.memory);
  EXPECT_EQ(cx.load<R>(512), R("readme"));
  b.values[1].i64 = 1;
  EXPECT_FALSE(b.run("name"));
  EXPECT_EQ(cx.load<R>(512), R(std::unexpected(Fault::Access)));
  b.values[2].i64 = 514;
  EXPECT_TRUE(b.run("name")->message.starts_with("unaligned pointer"));
  b.values[2].i64 = 65532;
  EXPECT_TRUE(b.run("name")->message.starts_with("result area content out-of-bounds"));
  b.values[0].i64 = 9;
  EXPECT_EQ(b.run("name")->message, "unknown handle index 9");
  EXPECT_EQ(b.memory.state.handles.get(1)->lends, 0u);
}

TEST(Bind, TrapsAndErrorsAreDifferentThings) {
  Bound b;
  b.io.func("strict", &strict).func("sum", &sum);
  b.values[0].i64 = 3, b.values[1].i64 = 256;
  EXPECT_FALSE(b.run("strict"));
  EXPECT_EQ(b.memory.get(256, 2), std::string("\0\3", 2));
  b.values[0].i64 = 6, b.values[1].i64 = 256;
  EXPECT_FALSE(b.run("strict"));
  EXPECT_EQ(b.memory.get(256, 2), std::string("\1\0", 2));
  b.values[0].i64 = 10;
  EXPECT_EQ(b.run("strict")->message, "too large");
  b.memory.put_raw<std::int32_t>(0, -1);
  b.values[0].i64 = 0, b.values[1].i64 = 1;
  EXPECT_EQ(b.run("sum")->message, "negative");
}

TEST(Bind, ManyParametersTravelInMemory) {
  Bound b;
  b.io.func("many", &many);
  Use cx(b.memory);
  using P = Abi<std::tuple<std::string, std::string, std::uint64_t, std::optional<std::uint64_t>,
                           std::array<std::uint8_t, 6>, Point, ByteList>>;
  P::store(cx, b.memory.bytes.data() + 128,
           std::make_tuple(std::string("ab"), std::string("c"), std::uint64_t{10}, std::optional<std::uint64_t>(100),
                           std::array<std::uint8_t, 6>{0, 0, 0, 0, 0, 7}, Point{1000, 0}, ByteList{1, 2, 3}));
  b.values[0].i64 = 128;
  EXPECT_FALSE(b.run("many"));
  EXPECT_EQ(b.values[0].i64, 3 + 10 + 100 + 7 + 1000 + 3u);
  b.values[0].i64 = 65528;
  EXPECT_TRUE(b.run("many")->message.starts_with("parameters content out-of-bounds"));
}

TEST(Bind, SignaturesAreComparedByStructure) {
  Bound b;
  b.io.resource<File>("file").resource<Socket>("socket").func("name", &name_of).func("sum", &sum).func("many", &many);
  TypeBuilder t;
  const ResourceType* resources[] = {&kHostResource<File>, &kHostResource<Socket>};
  auto fits = [&](std::string_view name, std::vector<component::ValType> params,
                  std::optional<component::ValType> result) {
    component::FuncType type;
    for (auto p : params) type.params.push_back({"p", p});
    type.result = result;
    return matches(*b.io.find_func(name)->desc, t.table, type, resources);
  };
  auto fault = t.names(TypeKind::Enum, {"not-found", "access"});
  auto other = t.names(TypeKind::Enum, {"not-found", "excess"});
  component::ValType file{TypeKind::Borrow, 0}, socket{TypeKind::Borrow, 1}, own{TypeKind::Own, 0};
  EXPECT_TRUE(fits("name", {file, kBool}, t.result(kString, fault)));
  EXPECT_FALSE(fits("name", {socket, kBool}, t.result(kString, fault)));
  EXPECT_FALSE(fits("name", {own, kBool}, t.result(kString, fault)));
  EXPECT_FALSE(fits("name", {file, kBool}, t.result(kString, other)));
  EXPECT_FALSE(fits("name", {file, kBool}, t.result(kString, {})));
  EXPECT_FALSE(fits("name", {file, kBool}, std::nullopt));
  EXPECT_FALSE(fits("name", {file}, t.result(kString, fault)));
  auto point = t.labelled(TypeKind::Record, {{"x", kS32}, {"y", kS32}});
  auto wrong = t.labelled(TypeKind::Record, {{"x", kS32}, {"z", kS32}});
  EXPECT_TRUE(fits("sum", {t.list(point)}, std::nullopt));
  EXPECT_FALSE(fits("sum", {t.list(wrong)}, std::nullopt));
  EXPECT_FALSE(fits("sum", {point}, std::nullopt));
  auto bytes = t.list(kU8);
  auto six = t.tuple({kU8, kU8, kU8, kU8, kU8, kU8}), fixed = t.of(TypeKind::FixedList, kU8, {}, 6);
  EXPECT_TRUE(fits("many", {kString, kString, kU64, t.option(kU64), six, point, bytes}, kU64));
  EXPECT_TRUE(fits("many", {kString, kString, kU64, t.option(kU64), fixed, point, bytes}, kU64));
  EXPECT_EQ(to_string(*b.io.find_func("name")->desc),
            "func(borrow<host resource>, bool) -> result<string, enum {not-found, access}>");
  EXPECT_EQ(to_string(*b.io.find_func("sum")->desc), "func(list<record {x: s32, y: s32}>)");
}

TEST(Bind, MismatchesNameThePlaceAndBothSidesThere) {
  TypeBuilder t;
  const ResourceType* resources[] = {&kHostResource<File>, &kHostResource<Socket>};
  auto point = [&](const char* second, component::ValType type) {
    return t.labelled(TypeKind::Record, {{"x", kS32}, {second, type}});
  };
  auto parts = [&](const TypeDesc& desc, component::ValType type) {
    auto mismatch = find_mismatch(desc, t.table, type, resources);
    return mismatch ? mismatch->place + ": " + mismatch->component + " / " + mismatch->host : std::string("alike");
  };
  EXPECT_EQ(parts(Abi<Point>::desc, point("y", kS32)), "alike");
  EXPECT_EQ(parts(Abi<Point>::desc, kU8), ": u8 / record {x: s32, y: s32}");
  EXPECT_EQ(parts(Abi<std::vector<Point>>::desc, t.list(point("y", kS64))), "element, field `y`: s64 / s32");
  EXPECT_EQ(parts(Abi<std::optional<Point>>::desc, t.option(point("z", kS32))), "some: the field `z` / `y`");
  using R = std::expected<void, Fault>;
  EXPECT_EQ(parts(Abi<R>::desc, t.result(kU8, t.names(TypeKind::Enum, {"not-found", "access"}))), "ok: u8 / nothing");
  EXPECT_EQ(parts(Abi<R>::desc, t.result({}, t.names(TypeKind::Enum, {"not-found"}))),
            "error: no more / the case `access`");
  EXPECT_EQ(parts(Abi<Borrow<File>>::desc, {TypeKind::Own, 0}), ": own<resource 0> / borrow<host resource>");
  EXPECT_EQ(parts(Abi<Borrow<File>>::desc, {TypeKind::Borrow, 1}),
            ": borrow<resource 1>, of another resource / borrow<host resource>");
  component::FuncType function{.params = {{"a", kU8}, {"b", t.tuple({kU8, kString})}}, .result = {}, .is_async = false};
  using Pair = std::pair<std::uint8_t, std::uint64_t>;
  static constexpr const TypeDesc* params[] = {&Abi<std::uint8_t>::desc, &Abi<Pair>::desc};
  auto mismatch = find_mismatch(FuncDesc{params, nullptr}, t.table, function, resources);
  ASSERT_TRUE(mismatch);
  EXPECT_EQ(mismatch->place, "parameter `b`, element 1");
  mismatch = find_mismatch(FuncDesc{std::span(params).first(1), nullptr}, t.table, function, resources);
  ASSERT_TRUE(mismatch);
  EXPECT_EQ(mismatch->component, "2 parameters");
}

TEST(Linker, VersionsMatchAsSemver) {
  EXPECT_EQ(semver_track("wasi:io/streams@0.2.12"), "wasi:io/streams@0.2");
  EXPECT_EQ(semver_track("a:b/c@1.4.0"), "a:b/c@1");
  EXPECT_EQ(semver_track("a:b/c@0.0.3"), "a:b/c@0.0.3");
  EXPECT_EQ(semver_track("a:b/c@0.3.0-rc-1"), "a:b/c@0.3.0-rc-1");
  EXPECT_EQ(semver_track("a:b/c@1.2.3+build"), "a:b/c@1");
  EXPECT_EQ(semver_track("a:b/c@1.2"), "a:b/c@1.2");
  EXPECT_EQ(semver_track("plain"), "plain");
  Linker linker;
  linker.instance("wasi:io/streams@0.2.12").func("f", &add);
  linker.instance("x:y/z@0.2.1-rc").func("f", &add);
  linker.instance("bare").func("f", &add);
  EXPECT_TRUE(linker.find_func("wasi:io/streams@0.2.0", "f"));
  EXPECT_TRUE(linker.find_func("wasi:io/streams@0.2.99", "f"));
  EXPECT_FALSE(linker.find_func("wasi:io/streams@0.3.0", "f"));
  EXPECT_FALSE(linker.find_func("wasi:io/streams", "f"));
  EXPECT_FALSE(linker.find_func("wasi:io/stream@0.2.0", "f"));
  EXPECT_FALSE(linker.find_func("x:y/z@0.2.1", "f"));
  EXPECT_TRUE(linker.find_func("bare", "f"));
  EXPECT_FALSE(linker.find_func("bare", "g"));
  EXPECT_TRUE(linker.has_interface("wasi:io/streams@0.2.3"));
}

} // namespace
} // namespace cusp::canon
