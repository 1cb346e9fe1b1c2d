// The body of one adapter in the making: core operators as bytes, encoded by the operator table. Locals are made on demand and given back.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "component/types.h"
#include "wasm/operators.h"

namespace cusp::compile {

using component::FlatType;

void append_leb(std::vector<std::uint8_t>& to, std::uint64_t value);
void append_name(std::vector<std::uint8_t>& to, std::string_view name);
std::uint8_t encoded(FlatType type);

struct CoreSignature {
  std::vector<FlatType> params, results;
  bool operator==(const CoreSignature&) const = default;
};

struct Local {
  std::uint32_t index = 0;
  FlatType type{};
};

class AdapterCode {
public:
  // `catches`: guest functions may throw, which must not pass from one component into another.
  AdapterCode(const CoreSignature& signature, bool catches)
      : types_(signature.params), params_(signature.params.size()), catches_(catches) {}

  Local param(std::uint32_t index) const { return {index, types_[index]}; }
  // What is in it is unknown: it may have been another before.
  Local local(FlatType type);
  Local new_local(FlatType type); // zero at first
  void give_back(Local local) { free_.push_back(local); }

  void op(wasm::Op op);
  void op(wasm::Op op, std::initializer_list<std::uint32_t> immediates);
  void get(Local local) { op(wasm::Op::LocalGet, {local.index}); }
  void set(Local local) { op(wasm::Op::LocalSet, {local.index}); }
  void tee(Local local) { op(wasm::Op::LocalTee, {local.index}); }
  void i32(std::uint32_t value);
  void i64(std::uint64_t value);
  void call(std::uint32_t func) { op(wasm::Op::Call, {func}); }
  void access(wasm::Op op, std::uint32_t memory, std::uint32_t offset);
  // Blocks without parameters or results.
  void begin(wasm::Op op);
  void end() { op(wasm::Op::End); }
  // Around arguments, call and results of a guest function. An exception is a trap here. Spec: call_and_trap_on_throw.
  void begin_guest_call();
  void end_guest_call();

  // Types nest, and code for them multiplies: beyond this an adapter is given up, and the host walks over the values.
  bool is_too_large() const { return bytes_.size() > kMaxBytes; }
  // As the code section has it, but for its size.
  std::vector<std::uint8_t> take();

private:
  static constexpr std::size_t kMaxBytes = 96 << 10;
  std::vector<FlatType> types_; // of all locals, parameters first
  std::size_t params_;
  bool catches_;
  std::vector<Local> free_;
  std::vector<std::uint8_t> bytes_;
};

} // namespace cusp::compile
