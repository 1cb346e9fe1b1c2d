// From one component into another: code that lifts a value on one side and lowers it on the other in one walk over its type, with nothing
// in between. What a guest gives is checked here as LiftLowerContext does, in the same order and with the same words. An own walk for
// each direction of a call. Spec: CanonicalABI.md, "Loading", "Storing", "Lifting Flat Values", "Lowering Flat Values".
#pragma once

#include <functional>
#include <optional>
#include <span>

#include "compile/adapter/module.h"
#include "component/component.h"

namespace cusp::compile {

// One side of a call.
struct AdapterSide {
  component::ComponentInstanceIndex instance;
  const component::CanonicalOptions* options = nullptr;
  std::uint32_t memory = 0; // import of the adapter's module; of use where the options name one
  std::uint32_t page_size_log2 = 16;
  std::uint32_t realloc = 0; // the same
};

// Where a value is or shall be: in memory, at an address that is checked, or in locals, one for each flat value.
struct Place {
  bool in_memory = false;
  Local address;
  std::uint32_t offset = 0;
  std::span<const Local> flat;

  static Place at(Local address, std::uint32_t offset = 0) { return {true, address, offset, {}}; }
  static Place in(std::span<const Local> flat) { return {false, {}, 0, flat}; }
  Place part(std::uint32_t bytes, std::uint32_t flats) const {
    return in_memory ? at(address, offset + bytes) : in(flat.subspan(flats));
  }
};

// What the host does for an adapter, as a function of its module.
using AssistFunc = std::function<std::uint32_t(component::Assist::Kind kind, component::ComponentInstanceIndex instance,
                                               component::ResourceIndex resource)>;

class Mover {
public:
  Mover(AdapterCode& code, const component::LinkPlan& plan, const AdapterSide& from, const AdapterSide& to,
        const AssistFunc& assist)
      : code_(code), plan_(plan), types_(plan.types), from_(from), to_(to), assist_(assist) {}

  void move(const Place& from, const Place& to, component::ValType type);
  // Traps unless `pointer` is aligned and `bytes` (at least 1) from there are in the memory of `side`.
  void check_range(const AdapterSide& side, Local pointer, std::uint32_t bytes, std::uint32_t alignment,
                   component::AdapterPlace place);
  // A new block in the memory that is lowered to, checked.
  Local allocate(std::uint32_t alignment, std::uint32_t bytes);
  // Handles that were lent; zero in the local: this one was not, in this call.
  struct Lent {
    Local handle;
    std::uint32_t resource;
  };
  const std::vector<Lent>& lent() const { return lent_; }
  bool lowered_borrows() const { return lowered_borrows_; }
  // Stops with a sentence where the i32 on the stack is not zero. `number` puts an i64 on the stack.
  template <class Number> void fault_if(component::AdapterFault fault, component::AdapterPlace place, Number number);
  void fault_if(component::AdapterFault fault, component::AdapterPlace place = {}) {
    fault_if(fault, place, [&] { code_.i64(0); });
  }

private:
  using Op = wasm::Op;
  struct Scalar;
  static Scalar scalar_of(component::TypeKind kind);
  void scalar(const Place& from, const Place& to, const Scalar& how);
  void character(const Place& from, const Place& to);
  void flags(const Place& from, const Place& to, const component::TypeDef& def);
  void fields(const Place& from, const Place& to, const component::TypeDef& def);
  void fixed_list(const Place& from, const Place& to, const component::TypeDef& def);
  void cases(const Place& from, const Place& to, component::ValType type, const component::TypeDef& def);
  void take_representation(const Place& from, Op op, component::Assist::Kind otherwise, std::uint32_t resource,
                           Local handle, Local rep);
  void make_handle(Op op, component::Assist::Kind otherwise, std::uint32_t resource, Local rep, Local handle);
  void own(const Place& from, const Place& to, std::uint32_t resource);
  void borrow(const Place& from, const Place& to, std::uint32_t resource);
  void string(const Place& from, const Place& to);
  void list(const Place& from, const Place& to, component::ValType type);
  void elements(Local source, Local target, Local count, component::ValType type, const component::ValType* second);

  // Word `i` of a value that is all words.
  void get_word(const Place& from, std::uint32_t i);
  void put_word(const Place& to, std::uint32_t i, Local value);
  // Puts on the stack what a store needs first; then the value; then stores it.
  void begin_store(const Place& to);
  void end_store(const Place& to, FlatType type, Op store);
  void load(const Place& from, FlatType type, Op load);
  void convert_from_slot(FlatType slot, FlatType to);
  void convert_to_slot(FlatType from, FlatType slot);

  // Bytes of a list or string as an i64, after all checks.
  Local checked_bytes(Local pointer, Local length, std::uint32_t size, std::uint32_t alignment,
                      component::AdapterPlace place);
  Local reallocate(Local bytes, std::uint32_t alignment, component::AdapterPlace place);
  void out_of_bounds(const AdapterSide& side, Local pointer, Local bytes); // an i32: whether it is
  void copy_run(const Place& from, const Place& to, std::uint32_t bytes);
  // Every bit pattern is a value, and there are no gaps.
  bool is_plain(component::ValType type) const;

  AdapterCode& code_;
  const component::LinkPlan& plan_;
  const component::TypeTable& types_;
  const AdapterSide& from_;
  const AdapterSide& to_;
  const AssistFunc& assist_;
  std::vector<Lent> lent_;
  bool lowered_borrows_ = false;
};

template <class Number>
void Mover::fault_if(component::AdapterFault fault, component::AdapterPlace place, Number number) {
  code_.begin(Op::If);
  code_.i32(static_cast<std::uint32_t>(fault));
  code_.i32(static_cast<std::uint32_t>(place));
  number();
  code_.call(assist_(component::Assist::Kind::Fault, from_.instance, {}));
  code_.op(Op::Unreachable);
  code_.end();
}

} // namespace cusp::compile
