// Tail calls that leave the module: however long the chain, the stack does not grow, whether the callee is imported or found in a table,
// and whether or not its arguments fit in registers.
#include "runtime/guest.h"
#include "wasm/types.h"

namespace cusp::test {
namespace {

constexpr std::uint8_t kIf = 0x04, kEnd = 0x0b, kReturn = 0x0f, kReturnCall = 0x12, kReturnCallIndirect = 0x13,
                       kLocalGet = 0x20, kI32Const = 0x41, kI32Eqz = 0x45, kI32Add = 0x6a, kI32Sub = 0x6b, kVoid = 0x40;
constexpr std::uint32_t kRounds = 300'000; // at 64 bytes a frame far more than the stack has

// f(n, a...): when n is 0 the sum of a, otherwise a tail call with n - 1 and the arguments turned by one.
Bytes turn(std::uint8_t arguments, const Bytes& call) {
  Bytes code{kLocalGet, 0, kI32Eqz, kIf, kVoid, kI32Const, 0};
  for (std::uint8_t i = 1; i <= arguments; ++i) append(code, {kLocalGet, i, kI32Add});
  append(code, {kReturn, kEnd, kLocalGet, 0, kI32Const, 1, kI32Sub});
  for (std::uint8_t i = 1; i <= arguments; ++i) append(code, {kLocalGet, static_cast<std::uint8_t>(i % arguments + 1)});
  append(code, call);
  return code;
}

class TailCalls : public testing::TestWithParam<std::tuple<unsigned, std::uint8_t>> {
protected:
  unsigned level() const { return std::get<0>(GetParam()); }
  std::uint8_t arguments() const { return std::get<1>(GetParam()); }
  std::shared_ptr<const runtime::Code> compiled(const ModuleBytes& m) const {
    artifact::CompileRequest request;
    request.opt_level = level();
    return compile(m, request);
  }
  std::uint32_t type(ModuleBytes& m) const { return m.type(Bytes(arguments() + 1u, kI32), {kI32}); }
  std::uint32_t result(Guest& guest, runtime::Instance& instance) const {
    auto item = instance.exported("f");
    std::vector<abi::ValRaw> values(arguments() + 1u);
    values[0].i32 = kRounds;
    for (std::uint32_t i = 1; i <= arguments(); ++i) values[i].i32 = i;
    auto called = guest.store().call(*std::get<runtime::ExternFunc>(*item).func, values.data());
    if (!called) ADD_FAILURE() << called.error().to_string();
    return values[0].i32;
  }
  std::uint32_t sum() const { return arguments() * (arguments() + 1u) / 2; }
};

TEST_P(TailCalls, ToAnImportAndBackThroughATable) {
  ModuleBytes first; // exports f, which goes on through its table, and the table
  first.table(2);
  first.func(type(first), turn(arguments(), {kI32Const, 1, kReturnCallIndirect, 0, 0}));
  first.export_item('f', 0, 0), first.export_item('t', 1, 0);
  ModuleBytes second; // puts its function there, which goes on with the first's
  const std::uint32_t t = type(second);
  second.import_func(t);
  second.import_table(2);
  second.func(t, turn(arguments(), {kReturnCall, 0}));
  second.elem(1, {1});
  on_fiber([&] {
    Guest guest;
    runtime::Instance& one = guest.add(compiled(first));
    const runtime::Extern imports[] = {*one.exported("f"), *one.exported("t")};
    guest.add(compiled(second), imports);
    EXPECT_EQ(result(guest, one), sum());
  });
}

std::uint32_t add_up(abi::HostFunc*, abi::ValRaw* values) {
  values[0].i32 = values[0].i32 + 1000;
  return 0;
}

TEST_P(TailCalls, ToAHostFunction) {
  ModuleBytes m;
  const std::uint32_t t = type(m);
  m.import_func(t);
  Bytes code{kLocalGet, 0};
  for (std::uint8_t i = 1; i <= arguments(); ++i) append(code, {kLocalGet, i});
  append(code, {kReturnCall, 0});
  m.func(t, code);
  m.export_item('f', 0, 1);
  on_fiber([&] {
    Guest guest;
    const std::uint32_t i32 = wasm::ValType::i32().raw();
    artifact::FuncTypeMeta host_type{std::vector<std::uint32_t>(arguments() + 1u, i32), {i32}};
    const runtime::Extern imports[] = {runtime::ExternFunc{guest.store().add_host_func(host_type, add_up, nullptr)}};
    EXPECT_EQ(result(guest, guest.add(compiled(m), imports)), kRounds + 1000);
  });
}

INSTANTIATE_TEST_SUITE_P(LevelsAndArguments, TailCalls,
                         testing::Combine(testing::Values(0u, 2u), testing::Values<std::uint8_t>(2, 17)));

} // namespace
} // namespace cusp::test
