// Validation of the exception operators beyond what the specification's suite asks, which knows nothing of the legacy ones.
#include <gtest/gtest.h>

#include "lower/code_bytes.h"
#include "wasm/reader.h"

namespace cusp::test {
namespace {

using namespace code;
using base::ErrorCode;

// Tag 0 takes an i32, tag 1 nothing; the body gives an i32 or nothing.
base::Result<void> validate(const Bytes& body, bool gives_i32 = false,
                            wasm::Features features = wasm::Features::validated()) {
  ModuleBytes m;
  m.tag(m.type({kI32}, {}));
  m.tag(m.type({}, {}));
  m.func(m.type({}, gives_i32 ? Bytes{kI32} : Bytes{}), body);
  Bytes bytes = m.bytes();
  auto module = wasm::read_module(bytes, features);
  if (!module) return std::unexpected(module.error());
  return wasm::validate_bodies(*module);
}

ErrorCode error_of(const Bytes& body, bool gives_i32 = false) {
  auto result = validate(body, gives_i32);
  if (result) ADD_FAILURE() << "accepted";
  return result ? ErrorCode::Internal : result.error().code;
}

void expect_valid(const Bytes& body, bool gives_i32 = false) {
  auto result = validate(body, gives_i32);
  EXPECT_TRUE(result) << result.error().to_string();
}

TEST(LegacyTry, ArmsBeginWithThePayload) {
  expect_valid(try_(kI32) + i32_const(1) + catch_(0) + catch_(1) + i32_const(2) + catch_all() + i32_const(3) + end(),
               true);
  EXPECT_EQ(error_of(try_(kI32) + i32_const(1) + catch_(1) + end(), true), ErrorCode::Invalid) << "tag 1 has none";
  EXPECT_EQ(error_of(try_() + catch_(0) + end()), ErrorCode::Invalid) << "the payload stays";
  EXPECT_EQ(error_of(try_() + catch_(2) + end()), ErrorCode::Invalid) << "no such tag";
}

TEST(LegacyTry, TheBodyMustGiveTheResultsToo) {
  EXPECT_EQ(error_of(try_(kI32) + catch_(0) + end(), true), ErrorCode::Invalid);
  expect_valid(try_(kI32) + unreachable() + catch_(0) + end(), true);
}

TEST(LegacyTry, ArmsComeInOrder) {
  EXPECT_EQ(error_of(block() + catch_all() + end()), ErrorCode::Malformed);
  EXPECT_EQ(error_of(catch_(1)), ErrorCode::Malformed);
  EXPECT_EQ(error_of(try_() + catch_all() + catch_(1) + end()), ErrorCode::Malformed);
  EXPECT_EQ(error_of(try_() + catch_all() + catch_all() + end()), ErrorCode::Malformed);
  expect_valid(try_() + end());
}

TEST(LegacyTry, DelegateEndsATryWithoutArms) {
  expect_valid(try_() + delegate(0));
  expect_valid(try_() + block() + try_() + delegate(1) + end() + catch_all() + end());
  EXPECT_EQ(error_of(try_() + delegate(1)), ErrorCode::Invalid) << "the function is label 0";
  EXPECT_EQ(error_of(try_() + catch_all() + delegate(0)), ErrorCode::Malformed);
  EXPECT_EQ(error_of(block() + delegate(0)), ErrorCode::Malformed);
}

TEST(LegacyTry, RethrowNamesACatch) {
  expect_valid(try_() + catch_all() + block() + rethrow(1) + end() + end());
  EXPECT_EQ(error_of(try_() + catch_all() + block() + rethrow(0) + end() + end()), ErrorCode::Invalid);
  EXPECT_EQ(error_of(try_() + rethrow(0) + catch_all() + end()), ErrorCode::Invalid) << "in the body, not in an arm";
  EXPECT_EQ(error_of(rethrow(7)), ErrorCode::Invalid);
}

TEST(LegacyTry, UnreachableCodeIsCheckedAllTheSame) {
  expect_valid(unreachable() + try_(kI32) + i32_const(1) + catch_(0) + end() + drop());
  EXPECT_EQ(error_of(unreachable() + try_() + catch_(0) + end()), ErrorCode::Invalid);
}

TEST(TryTable, ClausesFitTheirLabels) {
  expect_valid(block(kI32) + try_table(kVoid, {catch_clause(0, 0)}) + end() + unreachable() + end() + drop());
  expect_valid(block(kExnref) + try_table(kVoid, {catch_all_ref_clause(0)}) + end() + unreachable() + end() + drop());
  EXPECT_EQ(error_of(block() + try_table(kVoid, {catch_clause(0, 0)}) + end() + end()), ErrorCode::Invalid);
  EXPECT_EQ(error_of(block() + try_table(kVoid, {catch_clause(0, 9)}) + end() + end()), ErrorCode::Invalid);
  EXPECT_EQ(error_of(block() + try_table(kVoid, {Bytes{4, 0}}) + end() + end()), ErrorCode::Malformed);
}

TEST(ExceptionFeatures, AreNamedWhenTheyAreOff) {
  auto without = [](wasm::Feature feature) { return wasm::Features::validated().without(feature); };
  auto legacy = validate(try_() + end(), false, without(wasm::Feature::LegacyExceptions));
  ASSERT_FALSE(legacy);
  EXPECT_EQ(legacy.error().code, ErrorCode::Unsupported);
  EXPECT_NE(legacy.error().message.find("legacy-exceptions"), std::string::npos);
  EXPECT_FALSE(validate({}, false, without(wasm::Feature::Exceptions))) << "the tag section";
}

} // namespace
} // namespace cusp::test
