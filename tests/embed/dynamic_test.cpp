// Values whose types are known at run time only.
#include "embed/guest.h"

namespace cusp::test {
namespace {

struct Dynamic : testing::Test {
  Instance instance = make_instance();
  Value echo(std::string_view name, Value value) {
    auto result = must(must(instance.dynamic_func(kEcho, name))({std::move(value)}));
    EXPECT_TRUE(result);
    return result.value_or(Value{});
  }
  void same(std::string_view name, const Value& value) { EXPECT_EQ(echo(name, value), value) << value.to_string(); }
};

TEST_F(Dynamic, EveryTypeComesBack) {
  same("echo-bool", Value::boolean(true));
  same("echo-s8", Value::s8(-3));
  same("echo-u64", Value::u64(1ull << 63));
  same("echo-f32", Value::f32(1.5f));
  same("echo-char", Value::character(U'é'));
  same("echo-string", Value::string("text"));
  same("echo-bytes", Value::list({Value::u8(1), Value::u8(2)}));
  same("echo-bools", Value::list({Value::boolean(false), Value::boolean(true)}));
  Value point = Value::record({{"x", Value::s32(1)}, {"y", Value::s32(-1)}});
  same("echo-points", Value::list({point, point}));
  same("echo-item", Value::record({{"id", Value::u64(1)},
                                   {"name", Value::string("n")},
                                   {"tags", Value::list({Value::string("t")})},
                                   {"at", Value::option(point)}}));
  same("echo-color", Value::enumeration("green"));
  same("echo-access", Value::flags({"read", "run"}));
  same("echo-shape", Value::variant("dot"));
  same("echo-shape", Value::variant("polygon", Value::list({point})));
  same("echo-option", Value::option());
  same("echo-result", Value::result_err(Value::string("bad")));
  same("echo-unit", Value::result_ok());
  same("echo-tuple", Value::tuple({Value::u8(1), Value::string("b"), Value::f32(2)}));
  Value item = echo("echo-points", Value::list({point})).items[0];
  ASSERT_TRUE(item.field("y"));
  EXPECT_EQ(item.field("y")->to_string(), "-1");
  EXPECT_FALSE(item.field("z"));
}

TEST_F(Dynamic, WrongValuesAreRefusedBeforeTheCall) {
  auto points = must(instance.dynamic_func(kEcho, "echo-points"));
  EXPECT_EQ(points.type(), "func(v: list<record {x: s32, y: s32}>) -> list<record {x: s32, y: s32}>");
  auto refused = points({Value::list({Value::record({{"x", Value::s32(1)}, {"y", Value::string("2")}})})});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::InvalidArgument);
  EXPECT_EQ(refused.error().message, "argument `v`: [0].y: expected s32, found a string");
  EXPECT_FALSE(points({}));
  same("echo-bool", Value::boolean(true)); // nothing was called, so nothing trapped
}

TEST_F(Dynamic, GuestResourcesAreHandles) {
  auto make = must(instance.dynamic_func(kThings, "[constructor]bag"));
  auto sum = must(instance.dynamic_func(kThings, "[method]bag.sum"));
  auto merge = must(instance.dynamic_func(kThings, "[static]bag.merge"));
  std::shared_ptr<Resource> a = must(make({Value::string("aaa")}))->handle,
                            b = must(make({Value::string("b")}))->handle;
  EXPECT_EQ(must(sum({Value::borrow(a)})), Value::u32(3));
  EXPECT_FALSE(merge({Value::own(a), Value::own(a)})); // one object cannot be two
  EXPECT_FALSE(merge({Value::own(a), Value::u32(1)}));
  EXPECT_EQ(must(sum({Value::borrow(a)})), Value::u32(3));
  auto both = must(merge({Value::own(a), Value::own(b)}));
  EXPECT_EQ(must(sum({Value::borrow(both->handle)})), Value::u32(4));
  EXPECT_FALSE(sum({Value::borrow(a)}));
}

TEST(DynamicHost, FunctionsAndResources) {
  Linker linker = full_linker();
  Interface things = linker.instance(kHostThings);
  std::map<std::uint64_t, std::uint64_t> counts;
  std::vector<std::uint64_t> dropped;
  ResourceType counter = things.dynamic_resource("counter", [&](std::uint64_t object) { dropped.push_back(object); });
  things.dynamic_func("make", [&](HostCall&, std::span<Value> arguments) -> Result<std::optional<Value>> {
    std::uint64_t object = 40 + counts.size();
    counts[object] = arguments[0].bits;
    return Value::own(counter, object);
  });
  things.dynamic_func("[method]counter.add",
                      [&](HostCall&, std::span<Value> arguments) -> Result<std::optional<Value>> {
                        EXPECT_EQ(arguments[0].kind, TypeKind::Borrow);
                        return Value::u32(static_cast<std::uint32_t>(counts[arguments[0].bits] += arguments[1].bits));
                      });
  things.dynamic_func("take", [&](HostCall& call, std::span<Value> arguments) -> Result<std::optional<Value>> {
    if (counts[arguments[0].bits] > 3) call.trap("too many");
    return Value::u32(static_cast<std::uint32_t>(counts[arguments[0].bits]));
  });
  Instance instance = must(linker.instantiate(guest()));
  auto count = must(instance.func<std::uint32_t(std::uint32_t)>(kThings, "count-to"));
  EXPECT_EQ(must(count(3)), 6u);
  must(must(instance.func<std::uint32_t()>(kThings, "leak"))());
  must(instance.reset());
  EXPECT_EQ(dropped, std::vector<std::uint64_t>{41});
  auto trapped = count(5);
  ASSERT_FALSE(trapped);
  EXPECT_EQ(trapped.error().message, "too many");
}

} // namespace
} // namespace cusp::test
