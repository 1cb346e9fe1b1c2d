// What goes wrong: traps, limits, imports that are missing or of another type, threads.
#include <fstream>
#include <thread>

#include "embed/guest.h"

namespace cusp::test {
namespace {

TEST(Traps, HaveACodeASentenceAndABacktrace) {
  Instance instance = make_instance();
  auto divide = must(instance.func<std::uint32_t(std::uint32_t, std::uint32_t)>(kFaults, "divide"));
  EXPECT_EQ(must(divide(7, 2)), 3u);
  auto trapped = divide(1, 0);
  ASSERT_FALSE(trapped);
  EXPECT_EQ(trapped.error().code, ErrorCode::Trap);
  EXPECT_EQ(trapped.error().trap, TrapCode::IntegerDivideByZero);
  ASSERT_FALSE(trapped.error().backtrace.empty());
  EXPECT_NE(trapped.error().to_string().find("wasm backtrace:"), std::string::npos);
  EXPECT_GT(trapped.error().backtrace[0].wasm_offset, 0u);

  auto again = divide(7, 2);
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().trap, TrapCode::CannotEnter);
  must(instance.reset());
  EXPECT_EQ(must(divide(7, 2)), 3u);
}

TEST(Traps, HostFunctionsMayTrap) {
  Instance instance = make_instance();
  auto ask = must(instance.func<void(std::string_view)>(kFaults, "ask-host-to-fail"));
  auto failed = ask("no such account");
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().trap, TrapCode::HostError);
  EXPECT_EQ(failed.error().message, "no such account");
  EXPECT_FALSE(failed.error().backtrace.empty());
}

TEST(Limits, OfStackMemoryAndTime) {
  Limits limits;
  limits.stack_bytes = 256 * 1024;
  limits.memory_bytes = 8 * 1024 * 1024;
  limits.call_time = std::chrono::milliseconds(40);
  Instance instance = make_instance(limits);
  auto grow = must(instance.func<std::int32_t(std::uint32_t)>(kFaults, "grow"));
  EXPECT_EQ(must(grow(1000)), -1);
  EXPECT_GT(must(grow(4)), 0);
  EXPECT_GE(instance.memory_in_use(), 4u * 65536);
  auto dig = must(instance.func<std::uint32_t(std::uint32_t)>(kFaults, "dig"));
  EXPECT_TRUE(dig(10).has_value());
  auto deep = dig(1'000'000);
  ASSERT_FALSE(deep);
  EXPECT_TRUE(deep.error().trap == TrapCode::StackOverflow || deep.error().trap == TrapCode::MemoryOutOfBounds)
      << deep.error().message; // the guest's own shadow stack may end first
  must(instance.reset());
  auto spin = must(instance.func<void()>(kFaults, "spin"));
  auto late = spin();
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().trap, TrapCode::Timeout);
  must(instance.reset());
  EXPECT_TRUE(dig(10).has_value());
}

TEST(Linking, MissingImportsAreAllNamed) {
  Linker linker(engine());
  add_echo(linker.instance(kEcho));
  auto linked = linker.link(guest());
  ASSERT_FALSE(linked);
  EXPECT_EQ(linked.error().code, ErrorCode::Unlinkable);
  for (const char* name : {"`counter` of `test:embed/host-things@1.2.0`", "`make`", "`take`", "`fail`", "`nap`"})
    EXPECT_NE(linked.error().message.find(name), std::string::npos) << linked.error().message;
  EXPECT_EQ(linked.error().message.find("echo-"), std::string::npos);
}

TEST(Linking, WrongTypesNameBothSidesWhereTheyPart) {
  Linker linker = full_linker();
  struct Point {
    std::int32_t x = 0;
    std::int64_t y = 0;
  };
  linker.instance(kEcho).func("echo-option", [](std::optional<std::uint32_t> v) { return v; });
  linker.instance(kHostThings).func("take", [](Own<std::string>) { return 1u; });
  auto linked = linker.link(guest());
  ASSERT_FALSE(linked);
  EXPECT_NE(linked.error().message.find(
                "import `echo-option` of `test:embed/echo@1.2.0` has another type: parameter `v`, some: "
                "the component wants string, the host gives u32"),
            std::string::npos)
      << linked.error().message;
  EXPECT_NE(linked.error().message.find("`take`"), std::string::npos);
}

TEST(Linking, VersionsMatchAsSemver) {
  Linker linker(engine());
  add_echo(linker.instance("test:embed/echo@1.9.0"));
  add_host_things(linker.instance("test:embed/host-things@1.0.0"));
  auto instance = linker.instantiate(guest());
  ASSERT_TRUE(instance) << instance.error().message;
  EXPECT_TRUE(instance->func<bool(bool)>("test:embed/echo@1.0.0", "echo-bool"));
  EXPECT_FALSE(instance->func<bool(bool)>("test:embed/echo@2.0.0", "echo-bool"));
}

TEST(Loading, TellsWhatIsWrong) {
  auto missing = Component::load(engine(), "/nonexistent/plugin.wasm");
  ASSERT_FALSE(missing);
  EXPECT_NE(missing.error().to_string().find("/nonexistent/plugin.wasm"), std::string::npos);
  const std::uint8_t bad[] = {0, 'a', 's', 'm', 13, 0, 1, 0, 99};
  auto malformed = Component::compile(engine(), bad, "bad.wasm");
  ASSERT_FALSE(malformed);
  EXPECT_EQ(malformed.error().code, ErrorCode::Malformed);
  EXPECT_EQ(malformed.error().file, "bad.wasm");
  EXPECT_TRUE(malformed.error().byte_offset);
  EXPECT_FALSE(Component::compile(engine(), {}, "empty"));
  const std::uint8_t module[] = {0, 'a', 's', 'm', 1, 0, 0, 0};
  auto core = Component::compile(engine(), module, "core.wasm");
  ASSERT_FALSE(core);
  EXPECT_EQ(core.error().code, ErrorCode::InvalidArgument);
}

TEST(Loading, BytesAndSavedArtifactsRun) {
  std::ifstream in(guest_path("embed"), std::ios::binary);
  std::vector<std::uint8_t> bytes(std::istreambuf_iterator<char>(in), {});
  Component compiled = must(Component::compile(engine(), bytes));
  std::string path = testing::TempDir() + "embed-saved.cusp";
  must(compiled.save(path));
  Component loaded = must(Component::load(engine(), path));
  EXPECT_TRUE(loaded.has_export("test:embed/echo@1.0.0", "echo-bool"));
  EXPECT_FALSE(loaded.has_export("test:embed/echo@1.0.0", "echo-nothing"));
  Instance instance = must(full_linker().instantiate(loaded));
  EXPECT_TRUE(must(must(instance.func<bool(bool)>(kEcho, "echo-bool"))(true)));
  auto imports = loaded.imports();
  auto make = std::find_if(imports.begin(), imports.end(), [](const ExternInfo& i) { return i.name == "nap"; });
  ASSERT_NE(make, imports.end());
  EXPECT_EQ(make->interface, kHostThings);
  EXPECT_EQ(make->type, "func(milliseconds: u32) -> u32");
  std::remove(path.c_str());
}

TEST(Threads, ShareAnEngineAndALinkedComponent) {
  LinkedComponent linked = must(full_linker().link(guest()));
  std::uint64_t sums[2] = {};
  auto work = [&](int which) {
    Instance instance = must(linked.instantiate());
    auto echo = must(instance.func<std::uint64_t(std::uint64_t)>(kEcho, "echo-u64"));
    auto text = must(instance.func<std::string(std::string_view)>(kEcho, "echo-string"));
    for (std::uint64_t i = 0; i < 2000; ++i) sums[which] += must(echo(i)) + must(text("abc")).size();
  };
  std::thread first(work, 0), second(work, 1);
  first.join(), second.join();
  EXPECT_EQ(sums[0], 2000u * 1999 / 2 + 6000);
  EXPECT_EQ(sums[1], sums[0]);
}

TEST(Threads, AnInstanceRefusesOthers) {
  Instance instance = make_instance();
  auto echo = must(instance.func<bool(bool)>(kEcho, "echo-bool"));
  std::optional<Error> error;
  std::thread([&] {
    auto refused = echo(true);
    if (!refused) error = refused.error();
  }).join();
  ASSERT_TRUE(error);
  EXPECT_EQ(error->code, ErrorCode::InvalidArgument);
  EXPECT_TRUE(must(echo(true)));
}

} // namespace
} // namespace cusp::test
