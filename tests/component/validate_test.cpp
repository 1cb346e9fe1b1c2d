// Components that are refused, each with its sentence, offset and path, and neighbours of theirs that are not.
#include <gtest/gtest.h>

#include "component/builder.h"
#include "component/component.h"

namespace cusp::component {
namespace {

using namespace test;
using base::ErrorCode;

struct Refused {
  std::string_view title;
  Bytes bytes;
  ErrorCode code;
  std::uint64_t offset;
  std::string_view sentence; // with its path
};

void expect_refused(const Refused& row, const Features& features = {}) {
  auto result = validate_component(row.bytes, features);
  ASSERT_FALSE(result) << row.title;
  EXPECT_EQ(result.error().code, row.code) << row.title << ": " << result.error().message;
  EXPECT_EQ(result.error().byte_offset, row.offset) << row.title << ": " << result.error().message;
  EXPECT_EQ(result.error().message, row.sentence) << row.title;
}

void expect_valid(std::string_view title, const Bytes& bytes, const Features& features = {}) {
  auto result = validate_component(bytes, features);
  EXPECT_TRUE(result) << title << ": " << result.error().to_string();
}

// A core instance 0 of a module with `signatures`, whose functions are core functions 0, 1 …; its memory is core memory 0.
Bytes with_core(std::initializer_list<Signature> signatures, std::uint8_t memory_flags = 0) {
  Bytes bytes = cat({module(core_module(signatures, memory_flags)), core_instances({instantiate(0, {})}),
                     aliases({core_alias(2, 0, "m"), core_alias(1, 0, "t")})});
  for (std::size_t i = 0; i < signatures.size(); ++i)
    bytes = cat({bytes, aliases({core_alias(0, 0, std::string(1, static_cast<char>('0' + i)))})});
  return bytes;
}

// The offset of the first item in a section of less than 128 bytes that follows `sections`.
std::uint64_t after(const Bytes& sections) { return component({sections}).size() + 3; }

TEST(Decode, Refuses) {
  const Refused rows[] = {
      {"empty", {}, ErrorCode::Malformed, 0, "this is not a component"},
      {"a core module", core_module({}), ErrorCode::Malformed, 0, "this is not a component"},
      {"unknown section", component({{13, 0}}), ErrorCode::Malformed, 10,
       "malformed section id: there is no component section 13"},
      {"section too long", component({{7, 9, 0}}), ErrorCode::Malformed, 10,
       "type 0: length out of bounds: the section is longer than the component"},
      {"section with more in it", component({section(7, {0, 0})}), ErrorCode::Malformed, 11,
       "type 0: section size mismatch: it is longer than its content"},
      {"cut off", component({section(10, {1, 0, 3, 'a'})}), ErrorCode::Malformed, 13, "import 0: unexpected end"},
      {"unknown type", component({types({{0x3e}})}), ErrorCode::Malformed, 11,
       "type 0: invalid leading byte: there is no component type 0x3e"},
      {"second type unknown", component({types({{kU8}, {0x01}})}), ErrorCode::Malformed, 12,
       "type 1: invalid leading byte: there is no component type 0x1"},
      {"unknown value type", component({types({{0x70, 0x40}})}), ErrorCode::Malformed, 12,
       "type 0: a value type is unknown"},
      {"two results", component({types({{0x40, 0x00, 0x01, 0x01}})}), ErrorCode::Malformed, 15,
       "type 0: invalid leading byte: a function has one result or none"},
      {"import in an instance type", component({types({instance_type({import_decl("a", func_desc(0))})})}),
       ErrorCode::Malformed, 13, "type 0: invalid leading byte: an instance type has no imports"},
      {"unknown canon", component({canons({{0x43}})}), ErrorCode::Malformed, 11,
       "canonical function 0: invalid leading byte: there is no canonical function 0x43"},
      {"unknown option", component({canons({lower(0, {{0x0a}})})}), ErrorCode::Malformed, 15,
       "canonical function 0: invalid leading byte: there is no canonical option 0xa"},
      {"async neither on nor off", component({canons({{0x06, 0x02}})}), ErrorCode::Malformed, 12,
       "canonical function 0: invalid leading byte: `async` is neither 0 nor 1"},
      {"core function exported", component({exports({export_of("a", 0x00, 0x00)})}), ErrorCode::Malformed, 14,
       "export 0: only modules can be imported, exported or passed as core items"},
      {"function aliased from outside", component({aliases({alias_outer(kFunc, 0, 0)})}), ErrorCode::Malformed, 11,
       "alias 0: invalid leading byte: a function cannot be aliased in this way"},
      {"inside", component({nested(component({nested(component({types({{0x01}})}))}))}), ErrorCode::Malformed, 31,
       "component 0 > component 0 > type 0: invalid leading byte: there is no component type 0x1"},
      {"attribute twice",
       component({imports({cat({{0x02}, name("a"), {0x02, 0x00, 0x01, 'a', 0x00, 0x01, 'b'}, instance_desc(0)})})}),
       ErrorCode::Malformed, 18, "import 0: duplicate attribute of a name"}};
  for (const Refused& row : rows) expect_refused(row);
}

TEST(Decode, NestingIsBounded) {
  Bytes bytes = component({});
  for (int i = 0; i < 101; ++i) bytes = component({nested(bytes)});
  auto result = validate_component(bytes, {});
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, ErrorCode::LimitExceeded);
}

TEST(Validate, Types) {
  const Refused rows[] = {
      {"no fields", component({types({record({})})}), ErrorCode::Invalid, 11,
       "type 0: record type must have at least one field"},
      {"label twice, but for case", component({types({record({{"a-b", kU8}, {"a-B", kU8}})})}), ErrorCode::Invalid, 11,
       "type 0: record field name `a-B` conflicts with previous field name `a-b`"},
      {"label in another case", component({types({record({{"aB", kU8}})})}), ErrorCode::Invalid, 11,
       "type 0: record field name `aB` is not in kebab case"},
      {"unknown index", component({types({list_of(3)})}), ErrorCode::Invalid, 11,
       "type 0: unknown type 3: type index out of bounds"},
      {"index of a function", component({types({func({}), list_of(0)})}), ErrorCode::Invalid, 15,
       "type 1: type index 0 is not a defined type"},
      {"own of no resource", component({types({{kU8}, own(0)})}), ErrorCode::Invalid, 12,
       "type 1: type index 0 is not a resource type"},
      {"borrow returned", component({types({resource(), borrow(0), func({}, 1)})}), ErrorCode::Invalid, 16,
       "type 2: function result cannot contain a `borrow` type"},
      {"stream of borrows", component({types({resource(), borrow(0), stream_of(1)})}), ErrorCode::Invalid, 16,
       "type 2: `stream` cannot carry a `borrow` type"},
      {"stream of chars", component({types({stream_of(kChar)})}), ErrorCode::Invalid, 11,
       "type 0: `stream<char>` is not valid at this time, use `stream<u8>` with a defined byte encoding instead for "
       "now"},
      {"list of no elements", component({types({{0x67, kU8, 0x00}})}), ErrorCode::Invalid, 11,
       "type 0: Fixed-length lists must have more than zero elements"},
      {"list too long", component({types({cat({{0x67, kString}, leb(1 << 24)})})}), ErrorCode::Invalid, 11,
       "type 0: the type's size in memory reaches the maximum of 268435456 bytes"},
      {"key of a map", component({types({list_of(kU8), {0x63, 0x00, kU8}})}), ErrorCode::Invalid, 13,
       "type 1: `list` cannot be the key of a map"},
      {"too many flags",
       component({types({cat({{0x6e},
                              leb(33),
                              [] {
                                Bytes labels;
                                for (char a : std::string_view("ab"))
                                  for (char b = 'a'; b <= 'z'; ++b) labels = cat({labels, name(std::string{a, b})});
                                labels.resize(33 * 3);
                                return labels;
                              }()})})}),
       ErrorCode::Invalid, 11, "type 0: cannot have more than 32 flags"},
      {"resource in a type", component({types({component_type({type_decl(resource())})})}), ErrorCode::Invalid, 13,
       "type 0 > type 0: resources can only be defined within a concrete component"},
      {"destructor", component({with_core({{{kI64}, {}}}), types({{0x3f, kI32, 0x01, 0x00}})}), ErrorCode::Invalid,
       after(with_core({{{kI64}, {}}})), "type 0: core function 0 has wrong signature for a destructor"}};
  for (const Refused& row : rows) expect_refused(row);
  expect_valid("destructor of a 64-bit representation",
               component({with_core({{{kI64}, {}}}), types({{0x3f, kI64, 0x01, 0x00}})}));
}

TEST(Validate, Names) {
  Bytes instance = types({instance_type({})});
  const Refused rows[] = {
      {"twice", component({instance, imports({import("a", instance_desc(0)), import("A", instance_desc(0))})}),
       ErrorCode::Invalid, 21, "import `A`: import name `A` conflicts with previous name `a`"},
      {"url exported",
       component({instance, imports({import("a", instance_desc(0))}), exports({export_of("url=<b>", kInstance, 0)})}),
       ErrorCode::Invalid, 24, "export `url=<b>`: name `url=<b>` is not a valid export name"},
      {"version", component({instance, imports({import("a:b/c@1.x", instance_desc(0))})}), ErrorCode::Invalid, 16,
       "import `a:b/c@1.x`: invalid interface version: `1.x` is not a valid semver"},
      {"method of nothing", component({types({func({})}), imports({import("[method]a.b", func_desc(0))})}),
       ErrorCode::Invalid, 18, "import `[method]a.b`: method function should have at least one argument"},
      {"static of nothing", component({types({func({})}), imports({import("[static]a.b", func_desc(0))})}),
       ErrorCode::Invalid, 18,
       "import `[static]a.b`: `[static]a.b` is not valid: static resource name is not known in this context"},
      {"constructor of an instance", component({instance, imports({import("[constructor]a", instance_desc(0))})}),
       ErrorCode::Invalid, 16, "import `[constructor]a`: `[constructor]a` is not valid: item is not a func"},
      {"implements on a function",
       component({types({func({})}), imports({cat({{0x02}, name("a"), {0x01, 0x00}, name("a:b/c"), func_desc(0)})})}),
       ErrorCode::Invalid, 18, "import `a`: only instances can have an `implements`"}};
  for (const Refused& row : rows) expect_refused(row);
  expect_valid("method", component({imports({import("a", sub_resource())}), types({borrow(0), func({{"self", 1}})}),
                                    imports({import("[method]a.b", func_desc(2))})}));
  Bytes two = cat(
      {imports({import("a", sub_resource()), import("c", sub_resource())}), types({borrow(0), func({{"self", 2}})})});
  expect_refused({"method of another resource", component({two, imports({import("[method]c.b", func_desc(3))})}),
                  ErrorCode::Invalid, after(two),
                  "import `[method]c.b`: function does not match expected resource name `a`"});
}

TEST(Validate, TypesOfExportsHaveNames) {
  Bytes lifted = cat({with_core({{{kI32}, {}}}), types({record({{"a", kU32}}), func({{"x", 0}}), resource()}),
                      canons({lift(0, {}, 1)})});
  expect_refused({"anonymous record", component({lifted, exports({export_of("f", kFunc, 0)})}), ErrorCode::Invalid,
                  after(lifted), "export `f`: func not valid to be used as export"});
  expect_valid("named, and ascribed", component({lifted, exports({export_of("r", kType, 0)}), types({func({{"x", 3}})}),
                                                 exports({export_as("f", kFunc, 0, func_desc(4))})}));
  expect_refused({"resource escapes", component({types({resource(), instance_type({type_decl(borrow(0))})})}),
                  ErrorCode::Invalid, 16, "type 1 > type 0: unknown type 0: type index out of bounds"});
  expect_refused({"outer type with a resource",
                  component({types({resource()}), nested(component({aliases({alias_outer(kType, 1, 0)})}))}),
                  ErrorCode::Invalid, 27,
                  "component 0 > alias 0: cannot alias outer type which transitively refers to resources not defined "
                  "in the current component"});
}

TEST(Validate, Instantiation) {
  Bytes takes = nested(component({types({func({{"x", kU8}})}), imports({import("f", func_desc(0))})}));
  Bytes gives = cat({takes, types({func({{"x", kBool}})}), imports({import("g", func_desc(0))})});
  Bytes core = cat({module({0, 'a', 's', 'm', 1, 0, 0, 0, 1, 4, 1, 0x60, 0, 0, 2, 7, 1, 1, 'a', 1, '0', 0, 0}),
                    module(core_module({{{kI32}, {}}}))});
  const Refused rows[] = {
      {"nothing given", component({takes, instances({instantiate(0, {})})}), ErrorCode::Invalid, after(takes),
       "instance 0: missing import named `f`"},
      {"another type", component({gives, instances({instantiate(0, {with("f", kFunc, 0)})})}), ErrorCode::Invalid,
       after(gives),
       "instance 0: type mismatch for import `f`: type mismatch in function parameter `x`: expected primitive `u8` "
       "found primitive `bool`"},
      {"given twice", component({gives, instances({instantiate(0, {with("f", kFunc, 0), with("f", kFunc, 0)})})}),
       ErrorCode::Invalid, after(gives), "instance 0: instantiation argument `f` conflicts with previous argument `f`"},
      {"no such component", component({instances({instantiate(0, {})})}), ErrorCode::Invalid, 11,
       "instance 0: unknown component 0: component index out of bounds"},
      {"core: nothing given", component({core, core_instances({instantiate(0, {})})}), ErrorCode::Invalid, after(core),
       "core instance 0: missing module instantiation argument named `a`"},
      {"core: another type",
       component({core, core_instances({instantiate(1, {})}), core_instances({instantiate(0, {core_with("a", 0)})})}),
       ErrorCode::Invalid, after(cat({core, core_instances({instantiate(1, {})})})),
       "core instance 1: type mismatch for export `0` of module instantiation argument `a`: expected: () -> (), found: "
       "(i32) -> ()"}};
  for (const Refused& row : rows) expect_refused(row);
}

// Every instantiation makes resources of its own, so that those of one instance do not do for another.
TEST(Validate, ResourcesOfInstancesDiffer) {
  Bytes makes = nested(component({types({resource()}), exports({export_of("r", kType, 0)})}));
  Bytes two = cat({makes, instances({instantiate(0, {}), instantiate(0, {})}),
                   aliases({alias_export(kType, 0, "r"), alias_export(kType, 1, "r")})});
  Bytes takes = nested(component({imports({import("a", sub_resource()), import("b", type_eq(0))})}));
  expect_refused({"two",
                  component({two, takes, instances({instantiate(1, {with("a", kType, 0), with("b", kType, 1)})})}),
                  ErrorCode::Invalid, after(cat({two, takes})),
                  "instance 2: type mismatch for import `b`: resource types are not the same"});
  expect_valid("one", component({two, takes, instances({instantiate(1, {with("a", kType, 0), with("b", kType, 0)})})}));
}

TEST(Validate, CanonicalOptions) {
  Bytes core = with_core({{{kI32, kI32}, {}}, kRealloc, {{kI32, kI32, kI32}, {kI32}}, {{kI32}, {kI32}}, {{}, {}}});
  std::uint64_t at = component({core, types({func({{"s", kString}}), async_func({{"x", kU32}}, kU32)})}).size() + 3;
  auto with_canon = [&](const Bytes& canon) {
    return component({core, types({func({{"s", kString}}), async_func({{"x", kU32}}, kU32)}), canons({canon})});
  };
  const Refused rows[] = {
      {"no memory", with_canon(lift(0, {}, 0)), ErrorCode::Invalid, at,
       "canonical function 0: canonical option `memory` is required"},
      {"no realloc", with_canon(lift(0, {with_memory(0)}, 0)), ErrorCode::Invalid, at,
       "canonical function 0: canonical option `realloc` is required"},
      {"memory twice", with_canon(lift(0, {with_memory(0), with_memory(0)}, 0)), ErrorCode::Invalid, at,
       "canonical function 0: canonical option `memory` is specified more than once"},
      {"two encodings", with_canon(lift(0, {{0x00}, {0x01}}, 0)), ErrorCode::Invalid, at,
       "canonical function 0: canonical encoding option `string-encoding=utf8` conflicts with option "
       "`string-encoding=utf16`"},
      {"realloc of another type", with_canon(lift(0, {with_memory(0), with_realloc(0)}, 0)), ErrorCode::Invalid, at,
       "canonical function 0: canonical option `realloc` uses a core function with an incorrect signature"},
      {"another core type", with_canon(lift(4, {with_memory(0), with_realloc(1)}, 0)), ErrorCode::Invalid, at,
       "canonical function 0: lowered parameter types of `(i32 i32) -> ()` do not match parameter types of core "
       "function 4, which is `() -> ()`"},
      {"async of a sync type", with_canon(lift(0, {with_async()}, 0)), ErrorCode::Invalid, at,
       "canonical function 0: the `async` canonical option requires an async function type"},
      {"callback without async", with_canon(lift(3, {with_callback(2)}, 1)), ErrorCode::Invalid, at,
       "canonical function 0: cannot specify callback without async"},
      {"callback of another type", with_canon(lift(3, {with_async(), with_callback(3)}, 1)), ErrorCode::Invalid, at,
       "canonical function 0: canonical option `callback` uses a core function with an incorrect signature"},
      {"resource.new of no resource", with_canon({0x02, 0x00}), ErrorCode::Invalid, at,
       "canonical function 0: type index 0 is not a resource type"},
      {"stream.new of no stream", with_canon({0x0e, 0x00}), ErrorCode::Invalid, at,
       "canonical function 0: type index 0 is not a defined type"},
      {"third slot", with_canon({0x0a, kI32, 0x02}), ErrorCode::Invalid, at,
       "canonical function 0: `context.get` immediate must be zero or one: 2"},
      {"task.return with realloc", with_canon({0x09, 0x01, 0x00, 0x02, 0x03, 0x00, 0x04, 0x01}), ErrorCode::Invalid, at,
       "canonical function 0: cannot specify `realloc` option on `task.return`"},
      {"error-context.new without memory", with_canon({0x1c, 0x00}), ErrorCode::Invalid, at,
       "canonical function 0: canonical option `memory` is required"},
      {"thread of no function", with_canon({0x27, 0x00, 0x00}), ErrorCode::Invalid, at,
       "canonical function 0: unknown type 0: type index out of bounds"}};
  for (const Refused& row : rows) expect_refused(row);
  expect_valid("sync", with_canon(lift(0, {with_memory(0), with_realloc(1)}, 0)));
  expect_valid("async, callback", with_canon(lift(3, {with_async(), with_callback(2)}, 1)));
  expect_valid("async, stackful",
               component({core, types({async_func({}, kU32)}), canons({lift(4, {with_async()}, 0)})}));
}

TEST(Validate, SixtyFourBitMemories) {
  Features features(wasm::Features::validated());
  const Signature realloc{{kI64, kI64, kI64, kI64}, {kI64}};
  Bytes lifted = component({with_core({{{kI64, kI64}, {}}, realloc}, 4), types({func({{"s", kString}})}),
                            canons({lift(0, {with_memory(0), with_realloc(1)}, 0)})});
  expect_valid("on", lifted, features);
  features.set(Feature::Memory64, false);
  auto refused = validate_component(lifted, features);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().message,
            "canonical function 0: the component model's memory64 feature is needed and not enabled");
}

TEST(Validate, ValuesAreUsedOnce) {
  Bytes value = section(12, {0x01, kU8, 0x01, 0x07});
  Bytes start = cat({types({func({{"x", kU8}})}), imports({import("f", func_desc(0))}), value});
  expect_valid("used", component({start, section(9, {0x00, 0x01, 0x00, 0x00})}));
  expect_refused({"unused", component({value}), ErrorCode::Invalid, 0, "value 0 is not used"});
  Bytes started = cat({start, section(9, {0x00, 0x01, 0x00, 0x00})});
  expect_refused({"used twice", component({started, exports({export_of("v", 0x02, 0)})}), ErrorCode::Invalid,
                  after(started), "export `v`: value 0 cannot be used more than once"});
  expect_refused({"out of its type", component({section(12, {0x01, kBool, 0x01, 0x02})}), ErrorCode::Malformed, 14,
                  "value 0: a bool is neither 0 nor 1"});
  expect_refused({"too few arguments", component({start, section(9, {0x00, 0x00, 0x00})}), ErrorCode::Invalid,
                  after(start) - 1, "start: component start function requires 1 arguments but was given 0"});
}

TEST(Validate, PathsNameWhatTheNameSectionNames) {
  Bytes inner = component(
      {types({list_of(9)}), section(0, cat({name("component-name"), {0x01, 0x05, 0x03, 0x01, 0x00, 0x01, 't'}}))});
  expect_refused({"named", component({nested(inner)}), ErrorCode::Invalid, 21,
                  "component 0 > type 0 ($t): unknown type 9: type index out of bounds"});
}

TEST(Validate, ABrokenNameSectionMeansNothing) {
  expect_valid("broken", component({section(0, cat({name("component-name"), {0x01, 0x7f}}))}));
}

} // namespace
} // namespace cusp::component
