// What waits: tasks, host functions that sleep, functions of async type.
#include "embed/guest.h"

namespace cusp::test {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

TEST(Tasks, RunUntilTheyWaitAndGoOnWhenTheThreadDoes) {
  std::vector<int> order;
  auto task = must(start([&] {
    order.push_back(1);
    sleep_for(milliseconds(2));
    order.push_back(3);
    return 7;
  }));
  order.push_back(2);
  EXPECT_FALSE(task.done());
  EXPECT_EQ(must(task.get()), 7);
  EXPECT_EQ(order, (std::vector<int>{1, 2, 3}));
  auto quick = must(start([] {}));
  EXPECT_TRUE(quick.done());
  EXPECT_TRUE(quick.get().has_value());
}

TEST(Tasks, AreCancelled) {
  auto start_time = Clock::now();
  auto task = must(start([] { return sleep_for(std::chrono::hours(1)); }));
  task.cancel();
  EXPECT_FALSE(must(task.get()));
  EXPECT_LT(Clock::now() - start_time, std::chrono::minutes(1));
}

TEST(Tasks, InstancesWaitAtTheSameTime) {
  LinkedComponent linked = must(full_linker().link(guest()));
  std::vector<Instance> instances;
  std::vector<Task<Result<std::uint32_t>>> tasks;
  auto before = Clock::now();
  for (int i = 0; i < 10; ++i) {
    instances.push_back(must(linked.instantiate()));
    auto nap = must(instances.back().func<std::uint32_t(std::uint32_t)>(kFaults, "nap"));
    tasks.push_back(must(nap.start(100)));
  }
  for (auto& task : tasks) EXPECT_EQ(must(must(task.get())), 100u);
  EXPECT_LT(Clock::now() - before, milliseconds(900));
}

TEST(Tasks, HostFunctionsMayCallOtherGuests) {
  Instance inner = make_instance();
  auto divide = must(inner.func<std::uint32_t(std::uint32_t, std::uint32_t)>(kFaults, "divide"));
  Linker linker = full_linker();
  linker.instance(kEcho).func(
      "echo-u64", [&](std::uint64_t v) -> std::uint64_t { return must(divide(static_cast<std::uint32_t>(v), 2)); });
  Instance outer = must(linker.instantiate(guest()));
  auto echo = must(outer.func<std::uint64_t(std::uint64_t)>(kEcho, "echo-u64"));
  EXPECT_EQ(must(echo(84)), 42u);
}

// canon's own async guest: every one of its imports but `echo` is left to a function that is never called.
struct Async : testing::Test {
  std::uint32_t most_alive = 0, alive = 0;
  Instance instance = [this] {
    Component component = must(Component::load(engine(), guest_path("canon-async")));
    Linker linker(engine());
    for (const ExternInfo& import : component.imports())
      linker.instance(import.interface)
          .dynamic_func(import.name, [](HostCall&, std::span<Value>) -> Result<std::optional<Value>> {
            return std::unexpected(Error{.code = ErrorCode::Internal, .message = "not to be called"});
          });
    for (const ExternInfo& import : component.imports())
      if (import.name == "echo")
        linker.instance(import.interface).func("echo", [this](std::uint32_t value) {
          most_alive = std::max(most_alive, ++alive);
          sleep_for(milliseconds(3));
          --alive;
          return value;
        });
    return must(linker.instantiate(component));
  }();
};

TEST_F(Async, FunctionsAreCalledAndCallAsyncHostFunctions) {
  auto call = must(instance.func<std::uint32_t(std::uint32_t)>("", "call"));
  EXPECT_EQ(must(call(5)), 5u);
  auto two = must(instance.func<std::uint32_t(std::uint32_t, std::uint32_t)>("", "call-two"));
  EXPECT_EQ(must(two(20, 22)), 42u);
  EXPECT_EQ(most_alive, 2u); // both were under way at a time
  EXPECT_TRUE(instance.finish().has_value());
}

TEST_F(Async, OneInstanceServesSeveralTasks) {
  auto call = must(instance.func<std::uint32_t(std::uint32_t)>("", "call"));
  auto first = must(call.start(1)), second = must(call.start(2));
  EXPECT_EQ(must(must(second.get())), 2u);
  EXPECT_EQ(must(must(first.get())), 1u);
}

} // namespace
} // namespace cusp::test
