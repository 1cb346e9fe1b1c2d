// Dynamic values: through memory and flat slots, from guest to guest, their text form, and what does not fit a type.
#include "canon/guest_memory.h"
#include "canon/transfer.h"
#include "canon/type_builder.h"
#include "canon/value_abi.h"
#include "canon/wave.h"

namespace cusp::canon {
namespace {
using component::StringEncoding;
using component::TypeKind;
using Types = TypeBuilder;

// One of everything, and values of it in WAVE.
struct Sample {
  component::ValType type;
  std::vector<std::string> texts;
};
struct Samples {
  Types t;
  std::vector<Sample> all;
  component::ValType record, rights, variant;
  Samples() {
    auto color = t.names(TypeKind::Enum, {"red", "dark-green", "none"});
    rights = t.names(TypeKind::Flags, {"read", "write", "exec"});
    record = t.labelled(TypeKind::Record, {{"name", kString}, {"age", kU8}, {"nick", t.option(kString)}});
    variant = t.labelled(TypeKind::Variant, {{"nothing", {}}, {"f", kF32}, {"l", kU64}, {"r", record}});
    auto map = t.of(TypeKind::Map, kString, kU32);
    auto fixed = t.of(TypeKind::FixedList, kU16, {}, 3);
    all = {
        {kBool, {"true", "false"}},
        {{TypeKind::S8, 0}, {"-128", "127"}},
        {kU8, {"0", "255"}},
        {kS16, {"-32768"}},
        {kU32, {"4294967295"}},
        {kS64, {"-9223372036854775808"}},
        {kU64, {"18446744073709551615"}},
        {kF32, {"1.5", "-0", "inf", "-inf", "nan", "3.4028235e+38"}},
        {kF64, {"0.1", "-inf", "nan", "1e-300"}},
        {kChar, {"'x'", "'\\n'", "'\\''", "'\"'", "'☃'"}},
        {kString, {"\"\"", "\"a \\\"b\\\" \\\\ \\n\\t ü 😀\"", "\"\\u{1}'\""}},
        {t.list(kU8), {"[]", "[1, 2, 3]"}},
        {t.list(t.list(kString)), {"[[], [\"a\", \"b\"]]"}},
        {fixed, {"[1, 2, 3]"}},
        {map, {"[]", "[(\"k\", 1), (\"l\", 2)]"}},
        {t.tuple({kU8, kString, kF64}), {"(1, \"x\", 2.5)"}},
        {record, {"{name: \"a\", age: 3, nick: none}", "{name: \"a\", age: 3, nick: some(\"b\")}"}},
        {color, {"red", "dark-green", "%none"}},
        {rights, {"{}", "{read, exec}"}},
        {variant, {"nothing", "f(1.5)", "l(18446744073709551615)", "r({name: \"\", age: 0, nick: none})"}},
        {t.option(t.option(kU32)), {"none", "some(none)", "some(some(7))"}},
        {t.result(kString, color), {"ok(\"x\")", "err(red)"}},
        {t.result({}, {}), {"ok", "err"}},
        {t.list(t.tuple({kBool, kChar, variant})), {"[(true, 'c', l(1)), (false, 'd', nothing)]"}},
    };
  }
};

TEST(Wave, PrintsWhatItReads) {
  Samples samples;
  for (const Sample& sample : samples.all)
    for (const std::string& text : sample.texts) {
      auto value = parse_wave(text, samples.t.table, sample.type);
      ASSERT_TRUE(value) << text << ": " << value.error().to_string();
      EXPECT_EQ(to_wave(*value), text);
      EXPECT_EQ(*value, *conform(*value, samples.t.table, sample.type));
    }
}

TEST(Wave, ReadsOtherSpellings) {
  Samples s;
  auto reads = [&](const char* text, component::ValType type, const char* printed) {
    auto value = parse_wave(text, s.t.table, type);
    ASSERT_TRUE(value) << text << ": " << value.error().to_string();
    EXPECT_EQ(to_wave(*value), printed);
  };
  reads(" [ 1 , 2, ] // end", s.t.list(kU8), "[1, 2]");
  reads("{age: 1, name: \"n\"}", s.record, "{name: \"n\", age: 1, nick: none}");
  reads("{age: 1, name: \"n\", nick: \"m\",}", s.record, "{name: \"n\", age: 1, nick: some(\"m\")}");
  reads("7", s.t.option(kU32), "some(7)");
  reads("{exec, read}", s.rights, "{read, exec}");
  reads("%nothing", s.variant, "nothing");
  reads("\"\\u{1F600}\"", kString, "\"😀\"");
}

TEST(Wave, SaysWhatIsWrongAndWhere) {
  Samples s;
  struct Case {
    std::string text;
    component::ValType type;
    std::uint64_t at;
    std::string message;
  };
  auto list = s.t.list(kU8);
  const Case kCases[] = {
      {"256", kU8, 0, "the number does not fit into u8"},
      {"-1", kU8, 0, "expected an unsigned integer, found `-1`"},
      {"1x", kU8, 0, "expected an unsigned integer, found `1x`"},
      {"1.5", kU32, 0, "expected an unsigned integer, found `1.5`"},
      {"", kBool, 0, "expected true or false, found the end"},
      {"truex", kBool, 0, "expected true or false, found `truex`"},
      {"\"abc", kString, 4, "the quote is not closed"},
      {"\"\\q\"", kString, 2, "unknown escape `\\q`"},
      {"\"\\u{d800}\"", kString, 3, "expected a Unicode scalar value in hexadecimal, like \\u{1f600}"},
      {"''", kChar, 1, "a character in quotes is empty"},
      {"'ab'", kChar, 3, "expected a single quote after one character"},
      {"[1 2]", list, 3, "expected `,` or `]`, found `2]`"},
      {"[1, 2", list, 5, "expected `,` or `]`, found the end"},
      {"[1] 2", list, 4, "expected the end of the value, found `2`"},
      {"{name: \"a\"}", s.record, 11, "the field `age` is missing"},
      {"{name: \"a\", name: \"b\"}", s.record, 16, "the field `name` is given twice"},
      {"{nam: 1}", s.record, 4, "the record has no field `nam`"},
      {"{read, fly}", s.rights, 11, "unknown flag `fly`"},
      {"{read, read}", s.rights, 11, "the flag `read` is given twice"},
      {"blue", s.variant, 4, "unknown case `blue`"},
      {"f", s.variant, 1, "expected a payload in ( ), found the end"},
      {"(1)", s.t.tuple({kU8, kU8}), 2, "expected `,`, found `)`"},
      {"maybe", s.t.option(s.t.option(kU8)), 0, "expected some(…) or none, found `maybe`"},
      {"\xff", kString, 0, "the text is not UTF-8"},
  };
  for (const Case& c : kCases) {
    auto value = parse_wave(c.text, s.t.table, c.type);
    ASSERT_FALSE(value) << c.text;
    EXPECT_EQ(value.error().message, c.message) << c.text;
    EXPECT_EQ(value.error().byte_offset.value_or(0), c.at) << c.text;
    EXPECT_EQ(value.error().code, base::ErrorCode::InvalidArgument);
  }
  std::string deep(5000, '[');
  auto type = kU8;
  for (int i = 0; i < 200; ++i) type = s.t.list(type);
  EXPECT_EQ(parse_wave(deep, s.t.table, type).error().message, "the value is nested too deeply");
}

TEST(Wave, Calls) {
  Types t;
  component::FuncType type;
  type.params = {{"a", kU32}, {"b", kString}, {"c", t.option(kU8)}};
  auto call = parse_wave_call(" my-func( 1, \"x)\" ) ");
  ASSERT_TRUE(call);
  EXPECT_EQ(call->name, "my-func");
  auto arguments = parse_wave_arguments(call->arguments, t.table, type);
  ASSERT_TRUE(arguments) << arguments.error().to_string();
  EXPECT_EQ((*arguments)[1].text, "x)");
  EXPECT_TRUE((*arguments)[2].items.empty());
  EXPECT_EQ(parse_wave_call("run")->name, "run");
  EXPECT_EQ(parse_wave_call("run")->arguments, "");
  EXPECT_FALSE(parse_wave_call("run(1"));
  EXPECT_FALSE(parse_wave_call("(1)"));
  EXPECT_EQ(parse_wave_arguments("1", t.table, type).error().message,
            "expected `,` and the argument `b`, found the end");
  EXPECT_EQ(parse_wave_arguments("1, 2", t.table, type).error().message,
            "argument `b`: expected a string in double quotes, found `2`");
  EXPECT_FALSE(parse_wave_arguments("1, \"\", 3, 4", t.table, type));
}

TEST(Values, GoThroughMemoryAndFlatSlots) {
  Samples samples;
  for (StringEncoding encoding : {StringEncoding::Utf8, StringEncoding::Utf16, StringEncoding::Latin1Utf16})
    for (const Sample& sample : samples.all)
      for (const std::string& text : sample.texts) {
        Value value = *parse_wave(text, samples.t.table, sample.type);
        GuestMemory memory(encoding);
        Use cx(memory);
        ValueAbi abi(cx, samples.t.table, {});
        abi.store(memory.bytes.data() + 64, value, sample.type);
        EXPECT_EQ(to_wave(abi.load(memory.bytes.data() + 64, sample.type)), text);
        abi::ValRaw flat[16];
        std::memset(flat, 0xee, sizeof flat);
        abi.lower_flat(flat, value, sample.type);
        EXPECT_EQ(to_wave(abi.lift_flat(flat, sample.type)), text);
        EXPECT_FALSE(cx.trapped()) << cx.trap_info().message;
      }
}

TEST(Values, GoFromGuestToGuest) {
  Samples samples;
  constexpr StringEncoding kEncodings[] = {StringEncoding::Utf8, StringEncoding::Utf16, StringEncoding::Latin1Utf16};
  for (StringEncoding from_encoding : kEncodings)
    for (StringEncoding to_encoding : kEncodings)
      for (const Sample& sample : samples.all)
        for (const std::string& text : sample.texts) {
          GuestMemory source(from_encoding), target(to_encoding);
          Use from(source), to(target);
          ValueAbi writer(from, samples.t.table, {}), reader(to, samples.t.table, {});
          Value value = *parse_wave(text, samples.t.table, sample.type);
          Transfer transfer(from, to, samples.t.table, {});
          writer.store(source.bytes.data() + 64, value, sample.type);
          transfer.memory(source.bytes.data() + 64, target.bytes.data() + 128, sample.type);
          EXPECT_EQ(to_wave(reader.load(target.bytes.data() + 128, sample.type)), text);
          abi::ValRaw flat[16], moved[16];
          std::memset(moved, 0xee, sizeof moved);
          writer.lower_flat(flat, value, sample.type);
          transfer.move({nullptr, flat}, {nullptr, moved}, sample.type);
          EXPECT_EQ(to_wave(reader.lift_flat(moved, sample.type)), text);
          EXPECT_FALSE(from.trapped() || to.trapped());
        }
}

TEST(Values, PaddingDoesNotTravel) {
  Types t;
  auto padded = t.list(t.tuple({kU8, kU32}));
  GuestMemory source, target;
  std::fill(source.bytes.begin(), source.bytes.end(), 0x5a);
  source.put_raw<std::uint32_t>(0, 256), source.put_raw<std::uint32_t>(4, 2);
  Use from(source), to(target);
  Transfer(from, to, t.table, {}).memory(source.bytes.data(), target.bytes.data(), padded);
  std::uint32_t at = load_raw<std::uint32_t>(target.bytes.data());
  EXPECT_EQ(target.get(at, 8), std::string("\x5a\0\0\0\x5a\x5a\x5a\x5a", 8));
}

TEST(Values, HandlesMoveAndAreLent) {
  ResourceType type; // a guest's, implemented by instance 1
  type.instance = component::ComponentInstanceIndex(1);
  const ResourceType* resources[] = {&type};
  GuestMemory source, target;
  target.state.index = component::ComponentInstanceIndex(1);
  Task task;
  HandleEntry entry;
  entry.kind = HandleKind::Resource, entry.own = true, entry.type = &type, entry.rep = 77;
  std::uint32_t handle = source.state.handles.add(entry);
  abi::ValRaw in[1], out[1];
  in[0].i64 = handle;
  {
    Use from(source), to(target, &task);
    Transfer transfer(from, to, {}, resources);
    transfer.move({nullptr, in}, {nullptr, out}, {TypeKind::Borrow, 0});
    EXPECT_EQ(out[0].i32, 77u); // the implementer gets the rep itself
    EXPECT_EQ(source.state.handles.get(handle)->lends, 1u);
    transfer.move({nullptr, in}, {nullptr, out}, {TypeKind::Own, 0});
    EXPECT_EQ(from.trap_info().message, "cannot remove owned resource while borrowed");
  }
  EXPECT_EQ(task.num_borrows, 0u);
  target.state.index = component::ComponentInstanceIndex(2);
  {
    Use from(source), to(target, &task);
    Transfer transfer(from, to, {}, resources);
    transfer.move({nullptr, in}, {nullptr, out}, {TypeKind::Borrow, 0});
    EXPECT_EQ(out[0].i32, 1u);
    EXPECT_EQ(task.num_borrows, 1u);
  }
  Use from(source), to(target, &task);
  Transfer(from, to, {}, resources).move({nullptr, in}, {nullptr, out}, {TypeKind::Own, 0});
  EXPECT_EQ(source.state.handles.alive, 0u);
  EXPECT_TRUE(target.state.handles.get(out[0].i32)->own);
}

TEST(Values, DoNotConformToOtherTypes) {
  Samples s;
  auto wrong = [&](Value value, component::ValType type) {
    auto result = conform(std::move(value), s.t.table, type);
    return result ? std::string("fits") : result.error().message;
  };
  EXPECT_EQ(wrong(Value::u8(1), kU32), "the value: expected u32, found a u8");
  EXPECT_EQ(wrong(Value::list({Value::u8(1), Value::string("x")}), s.t.list(kU8)), "[1]: expected u8, found a string");
  EXPECT_EQ(wrong(Value::record({{"name", Value::string("a")}}), s.record), "the value: the field `age` is missing");
  EXPECT_EQ(
      wrong(Value::record({{"age", Value::u8(1)}, {"name", Value::string("a")}, {"nick", Value::option(Value::u8(1))}}),
            s.record),
      ".nick.some: expected string, found a u8");
  EXPECT_EQ(wrong(Value::variant("f"), s.variant), "the value: `f` needs a payload");
  EXPECT_EQ(wrong(Value::variant("g"), s.variant), "the value: unknown case `g`");
  EXPECT_EQ(wrong(Value::flags({"read", "fly"}), s.rights), "the value: unknown flag `fly`");
  EXPECT_EQ(wrong(Value::character(0xd800), kChar), "the value: U+D800 is no Unicode scalar value");
  EXPECT_EQ(wrong(Value::string("\xff"), kString), "the value: the string is not UTF-8");
  EXPECT_EQ(wrong(Value::list({Value::u16(1)}), s.t.of(TypeKind::FixedList, kU16, {}, 2)),
            "the value: expected 2 elements, found 1");
}

TEST(Values, DefaultsAreZeroAndConform) {
  Samples s;
  for (const Sample& sample : s.all) {
    Value value = default_value(s.t.table, sample.type, {});
    EXPECT_TRUE(conform(value, s.t.table, sample.type)) << to_wave(value);
  }
  EXPECT_EQ(to_wave(default_value(s.t.table, s.record, {})), "{name: \"\", age: 0, nick: none}");
}

} // namespace
} // namespace cusp::canon
