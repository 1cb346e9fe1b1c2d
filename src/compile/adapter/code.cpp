#include "compile/adapter/code.h"

#include <algorithm>

#include "abi/vm.h"

namespace cusp::compile {

using wasm::Op;

void append_leb(std::vector<std::uint8_t>& to, std::uint64_t value) {
  for (; value >= 0x80; value >>= 7) to.push_back(static_cast<std::uint8_t>(value | 0x80));
  to.push_back(static_cast<std::uint8_t>(value));
}

void append_name(std::vector<std::uint8_t>& to, std::string_view name) {
  append_leb(to, name.size());
  to.insert(to.end(), name.begin(), name.end());
}

std::uint8_t encoded(FlatType type) {
  switch (type) {
  case FlatType::I32: return 0x7f;
  case FlatType::I64: return 0x7e;
  case FlatType::F32: return 0x7d;
  case FlatType::F64: return 0x7c;
  }
  return 0;
}

namespace {

void append_signed_leb(std::vector<std::uint8_t>& to, std::int64_t value) {
  for (;;) {
    const auto byte = static_cast<std::uint8_t>(value & 0x7f);
    value >>= 7;
    if ((value == 0 && !(byte & 0x40)) || (value == -1 && (byte & 0x40))) return to.push_back(byte);
    to.push_back(byte | 0x80);
  }
}

} // namespace

Local AdapterCode::local(FlatType type) {
  auto found = std::ranges::find(free_, type, &Local::type);
  if (found != free_.end()) {
    Local local = *found;
    free_.erase(found);
    return local;
  }
  return new_local(type);
}

Local AdapterCode::new_local(FlatType type) {
  types_.push_back(type);
  return {static_cast<std::uint32_t>(types_.size() - 1), type};
}

void AdapterCode::op(Op op) {
  const std::uint32_t encoding = wasm::op_info(op).encoding;
  if (encoding <= 0xff) return bytes_.push_back(static_cast<std::uint8_t>(encoding));
  bytes_.push_back(static_cast<std::uint8_t>(encoding >> 16));
  append_leb(bytes_, encoding & 0xffff);
}

void AdapterCode::op(Op what, std::initializer_list<std::uint32_t> immediates) {
  op(what);
  for (std::uint32_t immediate : immediates) append_leb(bytes_, immediate);
}

void AdapterCode::i32(std::uint32_t value) {
  op(Op::I32Const);
  append_signed_leb(bytes_, static_cast<std::int32_t>(value));
}

void AdapterCode::i64(std::uint64_t value) {
  op(Op::I64Const);
  append_signed_leb(bytes_, static_cast<std::int64_t>(value));
}

void AdapterCode::access(Op what, std::uint32_t memory, std::uint32_t offset) {
  op(what);
  append_leb(bytes_, 0x40); // no alignment is promised, and a memory follows
  append_leb(bytes_, memory);
  append_leb(bytes_, offset);
}

void AdapterCode::begin(Op what) {
  op(what);
  bytes_.push_back(0x40); // the empty block type
}

void AdapterCode::begin_guest_call() {
  if (!catches_) return;
  begin(Op::Block);
  begin(Op::Block);
  begin(Op::TryTable);
  constexpr std::uint8_t kCatchAll = 2;
  bytes_.insert(bytes_.end(), {1, kCatchAll, 0}); // to the end of the inner block
}

void AdapterCode::end_guest_call() {
  if (!catches_) return;
  end();
  op(Op::Br, {1});
  end();
  op(Op::AdapterTrap, {static_cast<std::uint32_t>(abi::Trap::UncaughtException)});
  end();
}

std::vector<std::uint8_t> AdapterCode::take() {
  std::vector<std::uint8_t> body;
  append_leb(body, types_.size() - params_);
  for (std::size_t i = params_; i < types_.size(); ++i) {
    body.push_back(1);
    body.push_back(encoded(types_[i]));
  }
  body.insert(body.end(), bytes_.begin(), bytes_.end());
  body.push_back(static_cast<std::uint8_t>(wasm::op_info(Op::End).encoding));
  return body;
}

} // namespace cusp::compile
