// Resources: the host's in the guest's hands, the guest's in the host's.
#include "embed/guest.h"

namespace cusp::test {
namespace {

struct Resources : testing::Test {
  std::uint32_t deleted = 0;
  Instance instance = make_instance({}, &deleted);
  Func<Resource(std::string_view)> make_bag =
      must(instance.func<Resource(std::string_view)>(kThings, "[constructor]bag"));
  Func<void(ResourceRef, std::uint32_t)> add =
      must(instance.func<void(ResourceRef, std::uint32_t)>(kThings, "[method]bag.add"));
  Func<std::uint32_t(ResourceRef)> sum = must(instance.func<std::uint32_t(ResourceRef)>(kThings, "[method]bag.sum"));
  Func<Resource(Resource, Resource)> merge =
      must(instance.func<Resource(Resource, Resource)>(kThings, "[static]bag.merge"));
  Func<std::uint32_t()> dropped = must(instance.func<std::uint32_t()>(kThings, "dropped-bags"));
};

TEST_F(Resources, HostObjectsLiveAsLongAsTheirHandles) {
  auto count = must(instance.func<std::uint32_t(std::uint32_t)>(kThings, "count-to"));
  EXPECT_EQ(must(count(3)), 6u);
  EXPECT_EQ(deleted, 1u); // `take` took it over
  auto pass = must(instance.func<Own<Counter>(Own<Counter>)>(kThings, "pass"));
  auto counter = must(pass(make_own<Counter>(1u, &deleted)));
  EXPECT_EQ(counter->count, 101u);
  EXPECT_EQ(deleted, 1u);
  auto lent = must(instance.func<std::uint32_t(Borrow<Counter>)>(kThings, "use-lent"));
  EXPECT_EQ(must(lent(Borrow<Counter>(*counter))), 108u);
  EXPECT_EQ(counter->count, 108u);
  auto leak = must(instance.func<std::uint32_t()>(kThings, "leak"));
  must(leak());
  EXPECT_EQ(deleted, 1u);
  must(instance.reset());
  EXPECT_EQ(deleted, 2u);
}

TEST_F(Resources, GuestObjectsAreHeldLentAndGivenBack) {
  Resource a = must(make_bag("four")), b = must(make_bag("sixsix"));
  must(add(a, 100));
  EXPECT_EQ(must(sum(a)), 104u);
  Resource both = must(merge(std::move(a), std::move(b)));
  EXPECT_FALSE(a);
  EXPECT_EQ(must(sum(both)), 110u);
  EXPECT_EQ(must(dropped()), 2u);
  must(both.drop());
  EXPECT_EQ(must(dropped()), 3u);
  {
    Resource gone = must(make_bag("x"));
  }
  EXPECT_EQ(must(dropped()), 4u);
}

TEST_F(Resources, HandlesFitOnlyTheirOwnInstance) {
  Resource bag = must(make_bag("b"));
  Instance other = make_instance();
  auto other_sum = must(other.func<std::uint32_t(ResourceRef)>(kThings, "[method]bag.sum"));
  auto refused = other_sum(bag);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().message, "the host gave a resource of another instance");
  EXPECT_EQ(must(sum(bag)), 1u);
  must(instance.reset());
  auto stale = sum(bag);
  ASSERT_FALSE(stale);
  EXPECT_EQ(stale.error().message, "the host gave a resource from before the instance was reset");
  EXPECT_TRUE(bag.drop().has_value());
  auto empty = sum(bag);
  ASSERT_FALSE(empty);
}

TEST_F(Resources, OutliveNothing) {
  Resource bag;
  {
    Instance brief = make_instance();
    bag = must(must(brief.func<Resource(std::string_view)>(kThings, "[constructor]bag"))("x"));
  }
  EXPECT_TRUE(bag.drop().has_value());
}

} // namespace
} // namespace cusp::test
