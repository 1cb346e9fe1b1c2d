// Loops over a 32-bit memory: addresses become 64 bits wide under one test before the loop, and loops vectorise; where the sums may
// wrap, or nothing can be known before the loop, the loop stays as it was.
#include <gmock/gmock.h>

#include "lower/code_bytes.h"
#include "lower/lowered.h"

namespace cusp::test {
namespace {

using namespace code;
using testing::HasSubstr;
using testing::Not;

Bytes f64_load(std::uint32_t offset) { return Bytes{0x2b, 3} + leb(offset); }
Bytes f64_store(std::uint32_t offset) { return Bytes{0x39, 3} + leb(offset); }
Bytes f64_add() { return op(0xa0); }
Bytes i32_ne() { return op(0x47); }
Bytes sum(std::uint32_t local, std::int32_t offset) {
  return local_get(local) + local_get(2) + i32_add() + i32_const(offset) + i32_add();
}

// to[k] += from[k] for two neighbours in each turn, as a compiler unrolls it. Locals: to, from, index (in bytes), bytes.
Bytes two_neighbours() {
  Bytes body;
  for (std::int32_t offset : {0, 8})
    body += sum(0, offset) + sum(0, offset) + f64_load(0) + sum(1, offset) + f64_load(0) + f64_add() + f64_store(0);
  return body;
}

// do { body; index += 16 } while (index != end)
Bytes until(const Bytes& body, const Bytes& end_index) {
  return loop() + body + local_get(2) + i32_const(16) + i32_add() + local_tee(2) + end_index + i32_ne() + br_if(0) +
         end();
}

// The number of bytes as clang gives it for an even number of elements: its low bits are known.
Bytes whole_turns() { return local_get(3) + i32_const(4) + Bytes{0x74}; } // i32.shl

struct OverMemory : ModuleBytes {
  explicit OverMemory(const Bytes& code, const Bytes& params = {kI32, kI32, kI32, kI32}) {
    memory(0);
    func(type(params, {}), code);
  }
};

TEST(AddressWidening, UnrolledSumsVectoriseUnderOneTest) {
  Lowered lowered(OverMemory(i32_const(0) + local_set(2) + until(two_neighbours(), whole_turns())));
  lowered.optimise();
  const std::string text = lowered.text(0);
  EXPECT_THAT(text, HasSubstr(".narrow")) << text;
  EXPECT_THAT(text, HasSubstr("x double>, ptr")) << text;
  EXPECT_THAT(text, Not(HasSubstr("masked.scatter"))) << text;
}

TEST(AddressWidening, AnIndexThatRisesToZeroCounts) {
  Bytes body;
  for (std::int32_t offset : {1600, 1608})
    body += sum(0, offset) + sum(0, offset) + f64_load(0) + sum(1, offset) + f64_load(0) + f64_add() + f64_store(0);
  Lowered lowered(OverMemory(i32_const(-1600) + local_set(2) + until(body, i32_const(0))));
  lowered.optimise();
  EXPECT_THAT(lowered.text(0), HasSubstr("x double>, ptr")) << lowered.text(0);
  EXPECT_THAT(lowered.text(0), Not(HasSubstr("masked.scatter"))) << lowered.text(0);
}

TEST(AddressWidening, WhatIsKnownNeedsNoTest) {
  const Bytes constant_places = i32_const(1024) + local_set(0) + i32_const(4096) + local_set(1);
  Lowered lowered(OverMemory(constant_places + i32_const(0) + local_set(2) + until(two_neighbours(), i32_const(1600))));
  lowered.optimise();
  EXPECT_THAT(lowered.text(0), Not(HasSubstr(".narrow"))) << lowered.text(0);
  EXPECT_THAT(lowered.text(0), HasSubstr("x double>, ptr")) << lowered.text(0);
}

TEST(AddressWidening, WhatCertainlyWrapsStaysNarrow) {
  const Bytes near_the_end = i32_const(-64) + local_set(0) + i32_const(-64) + local_set(1);
  Lowered lowered(OverMemory(near_the_end + i32_const(0) + local_set(2) + until(two_neighbours(), i32_const(1600))));
  lowered.optimise();
  EXPECT_THAT(lowered.text(0), Not(HasSubstr(".narrow"))) << lowered.text(0);
  EXPECT_THAT(lowered.text(0), Not(HasSubstr("x double>, ptr"))) << lowered.text(0);
}

TEST(AddressWidening, ALoopWhoseEndIsNotKnownBeforeItStaysAsItIs) {
  // do { body } while (to[0] != 0)
  const Bytes body = loop() + two_neighbours() + local_get(2) + i32_const(16) + i32_add() + local_set(2) +
                     local_get(0) + i32_load(0) + br_if(0) + end();
  Lowered lowered((OverMemory(body)));
  lowered.optimise();
  EXPECT_THAT(lowered.text(0), Not(HasSubstr(".narrow"))) << lowered.text(0);
}

TEST(AddressWidening, ALoopThatCallsStaysAsItIs) {
  ModuleBytes m;
  m.memory(0);
  auto host = m.import_func(m.type({}, {}));
  m.func(m.type({kI32, kI32, kI32, kI32}, {}),
         i32_const(0) + local_set(2) + until(two_neighbours() + call(host), whole_turns()));
  Lowered lowered(m);
  lowered.optimise();
  EXPECT_THAT(lowered.text(1), Not(HasSubstr(".narrow"))) << lowered.text(1);
}

} // namespace
} // namespace cusp::test
