// Every type, typed, from the host through the guest to the host and back.
#include <cmath>
#include <limits>

#include "embed/guest.h"

namespace cusp::test {
namespace {

using namespace shapes;

struct Typed : testing::Test {
  Instance instance = make_instance();
  template <class T> T echo(std::string_view name, T value) {
    auto func = must(instance.func<T(T)>(kEcho, name));
    return must(func(std::move(value)));
  }
};

TEST_F(Typed, ScalarsTravelAsTheyAre) {
  auto all = must(instance.func<double(bool, std::int8_t, std::uint8_t, std::int16_t, std::uint16_t, std::int32_t,
                                       std::uint32_t, std::int64_t, std::uint64_t, float, double)>(kEcho, "scalars"));
  EXPECT_EQ(must(all(true, -1, 200, -300, 60000, -70000, 4'000'000'000u, -5, 6, 0.5f, 0.25)),
            1 - 1 + 200 - 300 + 60000 - 70000 + 4e9 - 5 + 6 + 0.5 + 0.25);
  EXPECT_TRUE(echo("echo-bool", true));
  EXPECT_FALSE(echo("echo-bool", false));
  EXPECT_EQ(echo<std::int8_t>("echo-s8", -128), -128);
  EXPECT_EQ(echo<std::uint64_t>("echo-u64", ~std::uint64_t{0}), ~std::uint64_t{0});
  EXPECT_EQ(echo("echo-f32", -0.1f), -0.1f);
  EXPECT_TRUE(std::isnan(echo("echo-f32", std::numeric_limits<float>::signaling_NaN())));
  EXPECT_EQ(echo("echo-char", U'\U0001F980'), U'\U0001F980');
}

TEST_F(Typed, StringsAndLists) {
  EXPECT_EQ(echo<std::string>("echo-string", "käse \U0001F9C0"), "käse \U0001F9C0");
  EXPECT_EQ(echo<std::string>("echo-string", ""), "");
  std::string large(300'000, 'x');
  EXPECT_EQ(echo("echo-string", large), large);
  std::vector<std::uint8_t> bytes{0, 1, 255};
  EXPECT_EQ(echo("echo-bytes", bytes), bytes);
  EXPECT_EQ(echo("echo-bools", std::vector<bool>{true, false, true}), (std::vector<bool>{true, false, true}));
  EXPECT_EQ(echo("echo-points", std::vector<Point>{{1, -2}, {3, 4}}), (std::vector<Point>{{1, -2}, {3, 4}}));
  EXPECT_EQ(echo("echo-points", std::vector<Point>{}), std::vector<Point>{});
}

TEST_F(Typed, ArgumentsMayBeViews) {
  auto text = must(instance.func<std::string(std::string_view)>(kEcho, "echo-string"));
  EXPECT_EQ(must(text("view")), "view");
  auto points = must(instance.func<std::vector<Point>(std::span<const Point>)>(kEcho, "echo-points"));
  const Point some[] = {{5, 6}};
  EXPECT_EQ(must(points(some)), (std::vector<Point>{{5, 6}}));
}

TEST_F(Typed, CompoundTypes) {
  Item item{.id = 7, .name = "n", .tags = {"a", "", "ccc"}, .at = Point{1, 2}};
  EXPECT_EQ(echo("echo-item", item), item);
  item.at.reset();
  item.tags.clear();
  EXPECT_EQ(echo("echo-item", item), item);
  EXPECT_EQ(echo("echo-color", Color::Blue), Color::Blue);
  EXPECT_EQ(echo("echo-access", Access::Read | Access::Run), Access::Read | Access::Run);
  for (const Shape& shape : {Shape(), Shape(1.5), Shape(std::vector<Point>{{1, 2}}), Shape(std::string("box"))})
    EXPECT_EQ(echo("echo-shape", shape), shape);
  EXPECT_EQ(echo("echo-option", std::optional<std::string>("x")), std::optional<std::string>("x"));
  EXPECT_EQ(echo("echo-option", std::optional<std::string>()), std::nullopt);
  using R = std::expected<std::uint32_t, std::string>;
  EXPECT_EQ(echo("echo-result", R(4)), R(4));
  EXPECT_EQ(echo("echo-result", R(std::unexpected("bad"))), R(std::unexpected("bad")));
  using U = std::expected<void, std::monostate>;
  EXPECT_TRUE(echo("echo-unit", U()).has_value());
  EXPECT_FALSE(echo("echo-unit", U(std::unexpect)).has_value());
  std::tuple<std::uint8_t, std::string, float> tuple{1, "two", 3.f};
  EXPECT_EQ(echo("echo-tuple", tuple), tuple);
}

TEST_F(Typed, ManyParametersTravelInMemory) {
  using S = std::string_view;
  auto many = must(instance.func<std::string(S, S, S, S, S, S, S, S, std::uint32_t)>(kEcho, "many"));
  EXPECT_EQ(must(many("a", "b", "c", "d", "e", "f", "g", "h", 9)), "abcdefgh9");
}

TEST_F(Typed, CallsWorkOnAFiberToo) {
  auto echo_u64 = must(instance.func<std::uint64_t(std::uint64_t)>(kEcho, "echo-u64"));
  std::uint64_t sum = 0;
  must(run([&] {
    for (std::uint64_t i = 0; i < 100; ++i) sum += must(echo_u64(i));
  }));
  EXPECT_EQ(sum, 4950u);
}

TEST_F(Typed, WrongTypesNameBothSidesWhereTheyPart) {
  auto wrong = instance.func<Item(std::vector<Point>)>(kEcho, "echo-item");
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().code, ErrorCode::InvalidArgument);
  EXPECT_EQ(
      wrong.error().message,
      "export `echo-item` of `test:embed/echo@1.2.0` has another type: parameter `v`: the component has "
      "record {id: u64, name: string, tags: list<string>, at: option<record {x: s32, y: s32}>}, the host calls it with "
      "list<record {x: s32, y: s32}>");
  auto deep = instance.func<std::vector<std::pair<int, int>>(std::vector<Point>)>(kEcho, "echo-points");
  ASSERT_FALSE(deep);
  EXPECT_NE(deep.error().message.find("result, element: the component has record {x: s32, y: s32}, the host calls it "
                                      "with tuple<s32, s32>"),
            std::string::npos)
      << deep.error().message;
  auto none = instance.func<void()>(kEcho, "echo-nothing");
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code, ErrorCode::NotFound);
  EXPECT_NE(none.error().message.find("`echo-bool` of"), std::string::npos);
}

} // namespace
} // namespace cusp::test
