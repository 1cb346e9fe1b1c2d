#include "canon/context.h"

#include <fmt/format.h>

#include "canon/component_state.h"
#include "canon/sentences.h"
#include "canon/strings.h"

namespace cusp::canon {

void trap_discriminant(LiftLowerContext& cx) { cx.trap(std::string(kBadDiscriminant)); }

void LiftLowerContext::trap(std::string message, abi::Trap code) {
  if (trapped_) return;
  trapped_ = true;
  trap_ = {std::move(message), code};
}

std::uint8_t* LiftLowerContext::bad_range(std::uint32_t pointer, std::uint32_t alignment, const char* what) {
  if (!options_.memory) trap("the canonical options name no memory", abi::Trap::Internal);
  else if (pointer & (alignment - 1)) trap(unaligned_text(what, alignment));
  else trap(out_of_bounds_text(what));
  return nullptr;
}

std::uint8_t* LiftLowerContext::list_range(std::uint32_t pointer, std::uint32_t length, std::uint32_t element_size,
                                           std::uint32_t alignment) {
  std::uint64_t bytes = std::uint64_t{length} * element_size;
  if (bytes > kMaxListByteLength) {
    trap(too_long_text("list", bytes));
    return nullptr;
  }
  return range(pointer, bytes, alignment, "list");
}

bool LiftLowerContext::call_core(const CoreCallee& callee, abi::ValRaw* values) {
  if (trapped_) return false;
  if (callee.host) {
    if (callee.host->function(callee.host, values) == 0) return true;
    trap(component_ ? component_->failure() : Trap{"a function of the canonical ABI failed"});
    return false;
  }
  runtime::Slot& slot = component_->slot();
  if (slot.call_entry(callee.entry, callee.vmctx, callee.code, values)) return true;
  component_->note_guest_trap();
  trap(component_->failure());
  return false;
}

// A call of its own, with a context of its own (context.get).
bool LiftLowerContext::call_realloc(abi::ValRaw* values) {
  Scheduler& scheduler = component_->state().scheduler;
  SyncTask task;
  task.instance = &instance_;
  scheduler.begin(task);
  bool called = call_core(options_.realloc, values);
  scheduler.end(task);
  return called;
}

std::uint8_t* LiftLowerContext::reallocate(std::uint32_t old, std::uint32_t old_bytes, std::uint32_t alignment,
                                           std::uint64_t bytes, std::uint32_t& pointer, const char* what) {
  if (trapped_) return nullptr;
  if (bytes > ~std::uint32_t{0}) {
    trap(fmt::format("{} content out-of-bounds ({} bytes do not fit into a memory)", what, bytes));
    return nullptr;
  }
  if (!options_.realloc) {
    trap("the canonical options name no realloc", abi::Trap::Internal);
    return nullptr;
  }
  abi::ValRaw values[4];
  values[0].i64 = old, values[1].i64 = old_bytes, values[2].i64 = alignment, values[3].i64 = bytes;
  bool may_leave = std::exchange(instance_.may_leave, false);
  bool called = component_ ? call_realloc(values) : call_core(options_.realloc, values);
  instance_.may_leave = may_leave;
  if (!called) return nullptr;
  pointer = values[0].i32;
  const abi::MemoryRecord* memory = options_.memory;
  if (pointer & (alignment - 1)) {
    trap(std::string(kReallocUnaligned));
  } else if (!memory || bytes > memory->byte_length || pointer > memory->byte_length - bytes) {
    trap(realloc_bounds_text(what));
  } else {
    return memory->base + pointer;
  }
  return nullptr;
}

char32_t LiftLowerContext::lift_char(std::uint32_t code) {
  if (code < 0xd800 || (code > 0xdfff && code < 0x110000)) return code;
  trap(std::string(kBadChar));
  return 0;
}

// --- strings

namespace {
constexpr std::uint32_t kUtf16Tag = 0x80000000;
}

std::string_view LiftLowerContext::lift_string(std::uint32_t pointer, std::uint32_t tagged_code_units) {
  using component::StringEncoding;
  StringEncoding encoding = options_.string_encoding;
  bool is_utf16 = encoding == StringEncoding::Utf16;
  std::uint64_t units = tagged_code_units;
  if (encoding == StringEncoding::Latin1Utf16 && (tagged_code_units & kUtf16Tag)) is_utf16 = true, units ^= kUtf16Tag;
  std::uint64_t bytes = is_utf16 ? units * 2 : units;
  if (bytes > kMaxStringByteLength) {
    trap(too_long_text("string", bytes));
    return {};
  }
  const std::uint8_t* at = range(pointer, bytes, encoding == StringEncoding::Utf8 ? 1 : 2, "string");
  if (!at) return {};
  if (encoding == StringEncoding::Utf8) {
    std::string_view text(reinterpret_cast<const char*>(at), bytes);
    if (is_utf8(text)) return text;
    trap(utf8_problem(text));
    return {};
  }
  std::string& text = transcoded_.emplace_front();
  if (!is_utf16) append_latin1_as_utf8(at, units, text);
  else if (!append_utf16_as_utf8(at, units, text)) trap("invalid utf-16: unpaired surrogate found");
  return trapped_ ? std::string_view() : std::string_view(text);
}

void LiftLowerContext::lower_string(std::string_view text, std::uint32_t& pointer, std::uint32_t& tagged_code_units) {
  using component::StringEncoding;
  if (trapped_) return;
  if (!is_utf8(text)) return trap("the host made a string that is not UTF-8", abi::Trap::Internal);
  if (options_.string_encoding == StringEncoding::Utf8) {
    std::uint8_t* at = allocate(1, text.size(), pointer, "string");
    if (at && !text.empty()) std::memcpy(at, text.data(), text.size());
    tagged_code_units = static_cast<std::uint32_t>(text.size());
  } else if (options_.string_encoding == StringEncoding::Latin1Utf16 && fits_latin1(text)) {
    std::size_t units = code_points(text);
    if (std::uint8_t* at = allocate(2, units, pointer, "string")) write_latin1(text, at);
    tagged_code_units = static_cast<std::uint32_t>(units);
  } else {
    std::size_t units = utf16_units(text);
    if (std::uint8_t* at = allocate(2, std::uint64_t{units} * 2, pointer, "string")) write_utf16(text, at);
    tagged_code_units = static_cast<std::uint32_t>(units);
    if (options_.string_encoding == StringEncoding::Latin1Utf16) tagged_code_units |= kUtf16Tag;
  }
}

// --- handles

HandleEntry* LiftLowerContext::resource_entry(std::uint32_t handle, const ResourceType& type) {
  if (trapped_) return nullptr;
  HandleEntry* entry = instance_.handles.get(handle);
  if (!entry) {
    trap(fmt::format("unknown handle index {}", handle));
    return nullptr;
  }
  if (entry->kind == HandleKind::Resource && entry->type == &type) return entry;
  auto describe = [](const ResourceType& t) { return t.is_host ? "host-defined resource" : "guest-defined resource"; };
  if (entry->kind != HandleKind::Resource)
    trap(fmt::format("handle index {} used with the wrong type, expected {} but found something else", handle,
                     describe(type)));
  else
    trap(fmt::format("handle index {} used with the wrong type, expected {} but found a different {}", handle,
                     describe(type), describe(type_of(*entry))));
  return nullptr;
}

std::uint64_t LiftLowerContext::lift_own(std::uint32_t handle, const ResourceType& type) {
  HandleEntry* entry = resource_entry(handle, type);
  if (!entry) return 0;
  if (entry->lends) return trap("cannot remove owned resource while borrowed"), 0;
  if (!entry->own) return trap("cannot lift own resource from a borrow"), 0;
  std::uint64_t rep = entry->rep;
  instance_.handles.remove(handle);
  return rep;
}

std::uint64_t LiftLowerContext::lift_borrow(std::uint32_t handle, const ResourceType& type) {
  HandleEntry* entry = resource_entry(handle, type);
  if (!entry) return 0;
  ++entry->lends;
  if (lender_count_ < std::size(lenders_)) lenders_[lender_count_] = handle;
  else more_lenders_.push_back(handle);
  ++lender_count_;
  return entry->rep;
}

void LiftLowerContext::release_lenders() {
  for (std::uint32_t i = 0; i < lender_count_; ++i) {
    std::uint32_t handle = i < std::size(lenders_) ? lenders_[i] : more_lenders_[i - std::size(lenders_)];
    if (HandleEntry* entry = instance_.handles.get(handle)) --entry->lends; // what is lent cannot be removed
  }
  lender_count_ = 0;
  more_lenders_.clear();
}

std::uint32_t LiftLowerContext::lower_own(std::uint64_t rep, const ResourceType& type) {
  if (trapped_) return 0;
  HandleEntry entry;
  entry.kind = HandleKind::Resource, entry.own = true, entry.type = &type, entry.rep = rep;
  std::uint32_t handle = instance_.handles.add(entry);
  if (!handle) trap("resource table has no free keys");
  return handle;
}

std::uint32_t LiftLowerContext::lower_borrow(std::uint64_t rep, const ResourceType& type) {
  if (trapped_) return 0;
  if (!type.is_host && type.instance == instance_.index)
    return static_cast<std::uint32_t>(rep); // its implementer knows it by rep
  HandleEntry entry;
  entry.kind = HandleKind::Resource, entry.type = &type, entry.rep = rep,
  entry.borrows = task_ ? &task_->num_borrows : nullptr;
  std::uint32_t handle = instance_.handles.add(entry);
  if (!handle) trap("resource table has no free keys");
  else if (task_) ++task_->num_borrows;
  return handle;
}

// --- what only host functions have

void* CallContext::host_pointer() const { return component().host(); }

GuestBytes CallContext::new_bytes(std::uint32_t length) {
  GuestBytes bytes;
  bytes.host_pointer = allocate(1, length, bytes.pointer);
  bytes.length = bytes.host_pointer ? length : 0;
  return bytes;
}

void CallContext::shrink(GuestBytes& bytes, std::uint32_t length) {
  if (!bytes.host_pointer || length >= bytes.length) return;
  std::uint8_t* at = reallocate(bytes.pointer, bytes.length, 1, length, bytes.pointer);
  bytes.host_pointer = at;
  bytes.length = at ? length : 0;
}

} // namespace cusp::canon
