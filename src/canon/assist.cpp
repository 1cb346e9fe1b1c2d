// What compiled adapters leave to the host: whatever does not go the ordinary way. A full table grows here, a handle that is not what it
// should be gets its sentence here, strings change their encoding here. Spec: CanonicalABI.md, "Lifting and Lowering Context".
#include "canon/component_state.h"
#include "canon/sentences.h"
#include "canon/strings.h"
#include "canon/transfer.h"

namespace cusp::canon {

namespace {

using component::AdapterFault;
using component::AdapterPlace;
using component::Assist;

const char* place_text(AdapterPlace place) {
  switch (place) {
  case AdapterPlace::Parameters: return "parameters";
  case AdapterPlace::Result: return "result";
  case AdapterPlace::ResultArea: return "result area";
  case AdapterPlace::List: return "list";
  case AdapterPlace::String: return "string";
  }
  return "value";
}

Trap trap_of(AdapterFault fault, AdapterPlace place, std::uint64_t number) {
  const char* what = place_text(place);
  switch (fault) {
  case AdapterFault::Unaligned: return {unaligned_text(what, static_cast<std::uint32_t>(number))};
  case AdapterFault::OutOfBounds: return {out_of_bounds_text(what)};
  case AdapterFault::TooLong: return {too_long_text(what, number)};
  case AdapterFault::ReallocResult: return {std::string(kReallocUnaligned)};
  case AdapterFault::ReallocBounds: return {realloc_bounds_text(what)};
  case AdapterFault::Discriminant: return {std::string(kBadDiscriminant)};
  case AdapterFault::Char: return {std::string(kBadChar)};
  case AdapterFault::Utf8: return {utf8_problem(static_cast<base::Utf8>(number))};
  case AdapterFault::BorrowsRemain: return {std::string(kBorrowsRemain)};
  }
  return {"the adapter failed", abi::Trap::Internal};
}

std::uint32_t convert_string(TrampolineRecord& record, const Assist& plan, abi::ValRaw* values) {
  ComponentInstance::State& state = record.owner->state();
  const ComponentCode::State& code = record.owner->code().state();
  const TrampolineRecord& call = state.trampolines[plan.trampoline];
  const auto& lower = std::get<component::Lower>(call.plan->kind);
  const LiftRecord& lift = state.lifts[std::get<component::LiftIndex>(lower.callee).value];
  LiftLowerContext caller(record.owner, *call.instance, call.options, nullptr);
  LiftLowerContext callee(record.owner, *lift.instance, lift.options, nullptr);
  LiftLowerContext &from = plan.is_result ? callee : caller, &to = plan.is_result ? caller : callee;
  abi::ValRaw source[2] = {values[0], values[1]};
  Transfer(from, to, code.types(), code.resources)
      .move({nullptr, source}, {nullptr, values}, {component::TypeKind::String});
  if (from.trapped()) return fail(record, from.trap_info());
  return to.trapped() ? fail(record, to.trap_info()) : 0;
}

// A borrow handle of the call in flight.
std::uint32_t lower_borrow(TrampolineRecord& record, LiftLowerContext& cx, std::uint64_t rep) {
  std::uint32_t handle = cx.lower_borrow(rep, *record.resource);
  if (HandleEntry* entry = cx.trapped() ? nullptr : record.instance->handles.get(handle)) {
    entry->borrows = &record.instance->borrows;
    ++*entry->borrows;
  }
  return handle;
}

// The caller counts it as lent from here on, and gives it back.
std::uint64_t lift_borrow(TrampolineRecord& record, LiftLowerContext& cx, std::uint32_t handle) {
  HandleEntry* entry = cx.resource_entry(handle, *record.resource);
  if (!entry) return 0;
  ++entry->lends;
  return entry->rep;
}

} // namespace

std::uint32_t assist(abi::HostFunc* self, abi::ValRaw* values) {
  TrampolineRecord& record = record_of(self);
  const auto& plan = std::get<Assist>(record.plan->kind);
  LiftLowerContext cx(record.owner, *record.instance, record.options, nullptr);
  switch (plan.kind) {
  case Assist::Kind::Fault:
    return fail(record, trap_of(static_cast<AdapterFault>(values[0].i32), static_cast<AdapterPlace>(values[1].i32),
                                values[2].i64));
  case Assist::Kind::Own: values[0].i64 = cx.lower_own(values[0].i64, *record.resource); break;
  case Assist::Kind::Borrow: values[0].i64 = lower_borrow(record, cx, values[0].i64); break;
  case Assist::Kind::Take: values[0].i64 = cx.lift_own(values[0].i32, *record.resource); break;
  case Assist::Kind::Lend: values[0].i64 = lift_borrow(record, cx, values[0].i32); break;
  case Assist::Kind::String: return convert_string(record, plan, values);
  }
  return cx.trapped() ? fail(record, cx.trap_info()) : 0;
}

} // namespace cusp::canon
