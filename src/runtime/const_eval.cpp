// Constant expressions at instantiation (spec 4.6): a stack machine over what the compiler noted. Objects that they make
// are of the host's asking, so that no collection comes between two of them.
#include <cstring>
#include <vector>

#include "runtime/gc.h"
#include "runtime/store_state.h"

namespace cusp::runtime {

using artifact::ConstOp;
using artifact::ConstStep;

namespace {

// REQUIRES: the expression was checked (meta_check.cpp): types and numbers of operands are right.
class ConstMachine {
public:
  explicit ConstMachine(const Instance& instance)
      : instance_(instance), store_(store_of(instance.vmctx())), meta_(instance.meta()),
        ids_(instance.code()->type_ids(instance.module_index())) {}

  bool run(const ConstStep& step); // false: no room
  abi::ValRaw result() const { return stack_.empty() ? abi::ValRaw{} : stack_.back(); }

private:
  abi::ValRaw& push() { return stack_.emplace_back(); }
  abi::ValRaw pop() {
    abi::ValRaw value = stack_.back();
    stack_.pop_back();
    return value;
  }
  template <class Combine> bool binary(Combine combine) {
    const abi::ValRaw right = pop();
    combine(stack_.back(), right);
    return true;
  }
  bool push_new(std::uint32_t object) {
    push().i64 = object;
    return object != 0;
  }
  bool make_struct(std::uint64_t type, bool with_values);
  bool make_array(std::uint64_t type, std::uint64_t length, std::size_t values);
  bool convert(ConstOp op);

  const Instance& instance_;
  Store& store_;
  const artifact::ModuleMeta& meta_;
  std::span<const std::uint32_t> ids_;
  std::vector<abi::ValRaw> stack_;
};

bool ConstMachine::make_struct(std::uint64_t type, bool with_values) {
  const std::vector<artifact::FieldMeta>& fields = meta_.types[type].members;
  abi::GcStructLayout layout;
  std::vector<std::uint32_t> offsets;
  for (const artifact::FieldMeta& field : fields) offsets.push_back(layout.add(field.storage));
  const std::uint32_t object = new_object(store_, ids_[type], 0, layout.size(), Allocation::Host);
  if (object == 0) return false;
  std::uint8_t* bytes = store_.state().gc_heap->base() + object;
  for (std::size_t i = fields.size(); with_values && i-- != 0;)
    store_value(bytes + offsets[i], fields[i].storage, pop());
  return push_new(object);
}

// `values`: 0, the stack's top for all elements (1), or one for each.
bool ConstMachine::make_array(std::uint64_t type, std::uint64_t length, std::size_t values) {
  const abi::GcStorage storage = meta_.types[type].members[0].storage;
  const std::uint32_t size = abi::storage_size(storage);
  const std::uint32_t array =
      new_object(store_, ids_[type], static_cast<std::uint32_t>(length), array_bytes(length, size), Allocation::Host);
  if (array == 0) return false;
  std::uint8_t* data = array_data(*store_.state().gc_heap, array, size);
  const std::size_t first = stack_.size() - values;
  for (std::uint64_t i = 0; values != 0 && i < length; ++i)
    store_value(data + i * size, storage, stack_[values == length ? first + i : first]);
  stack_.resize(first);
  return push_new(array);
}

bool ConstMachine::convert(ConstOp op) {
  abi::ValRaw& top = stack_.back();
  if (op == ConstOp::RefI31) {
    top.i64 = top.i32 << 1 | 1;
  } else if (op == ConstOp::ExternConvertAny) {
    top.i64 = extern_of_any(store_, top.i32);
  } else {
    const bool is_null = top.i64 == 0;
    top.i64 = any_of_extern(store_, top.i64, Allocation::Host);
    return is_null || top.i64 != 0;
  }
  return true;
}

bool ConstMachine::run(const ConstStep& step) {
  switch (step.op) {
  case ConstOp::I32:
  case ConstOp::F32: push().i64 = static_cast<std::uint32_t>(step.low); return true;
  case ConstOp::I64:
  case ConstOp::F64: push().i64 = step.low; return true;
  case ConstOp::V128: {
    abi::ValRaw& value = push();
    std::memcpy(value.v128, &step.low, 8);
    std::memcpy(value.v128 + 8, &step.high, 8);
    return true;
  }
  case ConstOp::GlobalGet:
    std::memcpy(&push(), instance_.global(static_cast<std::uint32_t>(step.low)), sizeof(abi::ValRaw));
    return true;
  case ConstOp::RefFunc: push().ref = instance_.func(static_cast<std::uint32_t>(step.low)); return true;
  case ConstOp::RefNull: push(); return true;
  case ConstOp::I32Add: return binary([](auto& a, auto& b) { a.i32 += b.i32; });
  case ConstOp::I32Sub: return binary([](auto& a, auto& b) { a.i32 -= b.i32; });
  case ConstOp::I32Mul: return binary([](auto& a, auto& b) { a.i32 *= b.i32; });
  case ConstOp::I64Add: return binary([](auto& a, auto& b) { a.i64 += b.i64; });
  case ConstOp::I64Sub: return binary([](auto& a, auto& b) { a.i64 -= b.i64; });
  case ConstOp::I64Mul: return binary([](auto& a, auto& b) { a.i64 *= b.i64; });
  case ConstOp::StructNew:
  case ConstOp::StructNewDefault: return make_struct(step.low, step.op == ConstOp::StructNew);
  case ConstOp::ArrayNew: {
    const std::uint32_t length = pop().i32;
    return make_array(step.low, length, 1);
  }
  case ConstOp::ArrayNewDefault: {
    const std::uint32_t length = pop().i32;
    return make_array(step.low, length, 0);
  }
  case ConstOp::ArrayNewFixed: return make_array(step.low, step.high, step.high);
  case ConstOp::RefI31:
  case ConstOp::AnyConvertExtern:
  case ConstOp::ExternConvertAny: return convert(step.op);
  }
  return true;
}

} // namespace

std::optional<abi::ValRaw> evaluate(const Instance& instance, const artifact::ConstExpr& expression) {
  ConstMachine machine(instance);
  for (const ConstStep& step : expression)
    if (!machine.run(step)) return std::nullopt;
  return machine.result();
}

} // namespace cusp::runtime
