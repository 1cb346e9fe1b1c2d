// Calls between the components of one guest (components/adapters.wat): what crosses compiled adapters comes out as it went in, and what may
// not cross stops the guest with the reference's words. Each test runs under several settings of the compiler.
#include <cstdlib>
#include <map>

#include <gtest/gtest.h>

#include "canon/component.h"
#include "canon/wave.h"
#include "loop/event_loop.h"
#include "prepare/prepare.h"

namespace cusp::canon {
namespace {

struct Setting {
  const char* name;
  unsigned opt_level;
  artifact::BoundsMode bounds;
};
constexpr Setting kSettings[] = {{"O0", 0, artifact::BoundsMode::Guard},
                                 {"O2", 2, artifact::BoundsMode::Guard},
                                 {"O2Explicit", 2, artifact::BoundsMode::Explicit}};

std::shared_ptr<const runtime::Code> code_for(const Setting& setting) {
  static std::map<std::string, std::shared_ptr<const runtime::Code>> made;
  auto& code = made[setting.name];
  if (code) return code;
  auto bytes = prepare::read_file(std::string(std::getenv("CUSP_BUILD_DIR")) + "/guests/canon-adapters.wasm");
  EXPECT_TRUE(bytes) << bytes.error().to_string();
  prepare::PrepareOptions settings;
  settings.opt_level = setting.opt_level;
  settings.bounds = setting.bounds;
  auto compiler = prepare::CompilerProcess::start(settings);
  EXPECT_TRUE(compiler) << compiler.error().to_string();
  auto artifact = (*compiler)->compile(*bytes);
  EXPECT_TRUE(artifact) << artifact.error().to_string();
  return code = *runtime::Code::load(*artifact);
}

class Adapters : public testing::TestWithParam<Setting> {
protected:
  void SetUp() override {
    ASSERT_TRUE(runtime::initialize());
    auto linked = ComponentCode::link(code_for(GetParam()), Linker(), {});
    ASSERT_TRUE(linked) << linked.error().to_string();
    code_ = *linked;
  }

  // The calls one after the other in one instance; the text of the last result, or its error.
  std::string run(std::initializer_list<std::string> calls) {
    std::string last;
    auto ran = loop::EventLoop::run_one([&] {
      auto instance = ComponentInstance::create(code_);
      ASSERT_TRUE(instance) << instance.error().to_string();
      for (const std::string& text : calls) {
        auto call = parse_wave_call(text);
        ASSERT_TRUE(call) << call.error().to_string();
        auto func = code_->find_export("run", call->name);
        ASSERT_TRUE(func) << func.error().to_string();
        auto arguments = parse_wave_arguments(call->arguments, code_->types(), *func->type);
        ASSERT_TRUE(arguments) << text << ": " << arguments.error().to_string();
        auto result = (*instance)->call(*func, std::move(*arguments));
        last = !result ? result.error().message : result->empty() ? "" : to_wave(result->front());
      }
      EXPECT_TRUE((*instance)->reset());
    });
    EXPECT_TRUE(ran);
    return last;
  }
  // The value comes back as it was.
  void round_trip(const std::string& name, const std::string& value) {
    EXPECT_EQ(run({name + "(" + value + ")"}), value) << name;
  }

  std::shared_ptr<const ComponentCode> code_;
};

TEST_P(Adapters, AreCompiledForEveryCallOfThisGuest) {
  for (const component::Trampoline& trampoline : code_->plan().trampolines) {
    const bool is_assist = std::holds_alternative<component::Assist>(trampoline.kind);
    EXPECT_EQ(trampoline.adapter.has_value(), !is_assist);
  }
}

TEST_P(Adapters, PassScalars) {
  EXPECT_EQ(run({"add(40, 2)"}), "42");
  EXPECT_EQ(run({"mix(true, -128, 65535, '\xf0\x9d\x84\x9e', 1.5, number(18446744073709551615), {a, c}, green)"}),
            "(true, -128, 65535, '\xf0\x9d\x84\x9e', 1.5, number(18446744073709551615), {a, c}, green)");
  EXPECT_EQ(run({"mix(false, 127, 0, 'x', -0.5, real(2.5), {}, red)"}),
            "(false, 127, 0, 'x', -0.5, real(2.5), {}, red)");
  EXPECT_EQ(run({"mix(false, 0, 1, 'x', 0, pair((200, 0.1)), {b}, red)"}),
            "(false, 0, 1, 'x', 0, pair((200, 0.1)), {b}, red)");
  EXPECT_EQ(run({"mix(false, 0, 1, 'x', 0, none, {b}, red)"}), "(false, 0, 1, 'x', 0, %none, {b}, red)");
}

TEST_P(Adapters, PassStringsOfEveryPairOfEncodings) {
  std::string long_text;
  for (int i = 0; i < 3000; ++i) long_text += i % 7 == 0 ? "\xc3\xa4" : i % 1001 == 0 ? "\xe6\x97\xa5" : "plain ";
  for (const char* from : {"utf8", "utf16", "latin1"})
    for (const char* to : {"utf8", "utf16", "latin1"})
      for (const std::string& text :
           {std::string(), std::string("plain"), std::string("caf\xc3\xa9"), std::string("\xe6\x97\xa5\xe6\x9c\xac"),
            std::string("a\xf0\x9d\x84\x9e"), long_text, std::string(20000, 'x'),
            std::string(9000, 'y') + "\xc3\xa9" + std::string(50, 'z')})
        round_trip(std::string(from) + "-" + to, "\"" + text + "\"");
}

TEST_P(Adapters, PassLists) {
  round_trip("numbers", "[]");
  round_trip("numbers", "[1, 2, 18446744073709551615]");
  round_trip("records", "[]");
  const std::string
      one = "{name: \"one\", flag: true, letter: 'x', point: (0.1, -2, 7), maybe: some(-5), outcome: ok([1, 2, 3]), "
            "fixed: (1, 2, 3)}",
      two = "{name: \"\", flag: false, letter: '\xe6\x97\xa5', point: (0, 0, 0), maybe: none, outcome: err(9), "
            "fixed: (255, 65535, 4294967295)}";
  round_trip("records", "[" + one + ", " + two + ", " + one + "]");
  round_trip("many", "(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, \"seventeen\")");
}

TEST_P(Adapters, CallPostReturnOnceForEachCall) {
  EXPECT_EQ(run({"utf8-utf8(\"a\")", "utf8-utf8(\"b\")", "utf8-utf16(\"c\")", "finished()"}), "2");
  EXPECT_EQ(run({"misbehave(4)", "utf8-utf8(\"a\")"}), "wasm `unreachable` instruction executed");
}

TEST_P(Adapters, MoveHandles) {
  EXPECT_EQ(run({"things()"}), "360"); // 120 + 200 + 20 + 20
  EXPECT_EQ(run({"things()", "destroyed()"}), "120");
  EXPECT_EQ(run({"things()", "things()", "things()", "destroyed()"}), "360");
  EXPECT_EQ(run({"keep()", "destroyed()"}), "5");
  EXPECT_EQ(run({"many-things(300)"}), "44850"); // tables grow
  EXPECT_EQ(run({"many-things(300)", "destroyed()"}), "44850");
}

TEST_P(Adapters, RefuseWrongHandles) {
  EXPECT_EQ(run({"bad-handle(17)"}), "unknown handle index 17");
  EXPECT_EQ(run({"bad-handle(0)"}), "unknown handle index 0");
  EXPECT_EQ(run({"used-twice()"}), "unknown handle index 1");
  EXPECT_EQ(run({"drop-twice()"}), "unknown handle index 1");
  EXPECT_EQ(run({"forget()"}), "borrow handles still remain at the end of the call");
}

TEST_P(Adapters, RefuseWrongPointers) {
  const std::string outside = "content out-of-bounds";
  auto contains = [&](const std::string& call, const std::string& text) {
    std::string got = run({call});
    EXPECT_NE(got.find(text), got.npos) << call << ": " << got;
  };
  contains("raw-string(65535, 2)", "string content out-of-bounds");
  contains("raw-string(4294967295, 1)", "string content out-of-bounds");
  contains("raw-string(0, 4294967295)", "too long");
  contains("raw-list(4, 1)", "unaligned pointer");
  contains("raw-list(65536, 1)", "list content out-of-bounds");
  contains("raw-list(65528, 2)", "list content out-of-bounds");
  contains("raw-list(0, 536870912)", "too long");
  contains("raw-result(66)", "unaligned pointer");
  contains("raw-result(65536)", outside);
  contains("raw-result(4294967292)", outside);
  EXPECT_EQ(run({"raw-string(65536, 0)"}), "");
  EXPECT_EQ(run({"raw-list(65528, 1)"}), "");
}

TEST_P(Adapters, RefuseWrongValues) {
  EXPECT_EQ(run({"raw-mix(55296, 0)"}), "converted integer out of range for `char`");
  EXPECT_EQ(run({"raw-mix(1114112, 0)"}), "converted integer out of range for `char`");
  EXPECT_EQ(run({"raw-mix(4294967295, 0)"}), "converted integer out of range for `char`");
  EXPECT_EQ(run({"raw-mix(65, 4)"}), "invalid variant discriminant");
  EXPECT_EQ(run({"raw-mix(65, 3)"}), ""); // what does not fit a narrow type is cut off
}

TEST_P(Adapters, RefuseWhatReallocGives) {
  for (const char* where : {"misbehave(", "misbehave-here("}) {
    const std::string set = where;
    EXPECT_EQ(run({set + "1)", "raw-list(0, 3)"}), "wasm `unreachable` instruction executed");
    EXPECT_EQ(run({set + "2)", "raw-list(0, 3)"}), "unaligned pointer (realloc return: result not aligned)");
    EXPECT_EQ(run({set + "3)", "raw-list(0, 3)"}), "list content out-of-bounds (realloc return: beyond end of memory)");
    EXPECT_EQ(run({set + "3)", "raw-string(0, 3)"}),
              "string content out-of-bounds (realloc return: beyond end of memory)");
  }
}

// A trap ends the whole component, until it is reset.
TEST_P(Adapters, EndTheComponentWithATrap) {
  EXPECT_EQ(run({"raw-mix(65, 4)", "add(1, 2)"}), "cannot enter component instance");
}

INSTANTIATE_TEST_SUITE_P(Settings, Adapters, testing::ValuesIn(kSettings),
                         [](const auto& info) { return info.param.name; });

} // namespace
} // namespace cusp::canon
