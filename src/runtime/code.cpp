#include "runtime/code.h"

#include <deque>
#include <map>
#include <mutex>
#include <unordered_map>

#include "runtime/address_table.h"
#include "runtime/store.h"
#include "wasm/types.h"

namespace cusp::runtime {

namespace {

using TypeKey = std::vector<std::uint32_t>; // number of parameters, then parameters and results

// Function types of the whole process. A funcref made in one artifact is called from another, so ids are process-wide; they are
// given when code is loaded, never on a request. Ids are not given back: there are few types.
class TypeIds {
public:
  std::uint32_t intern(TypeKey key) {
    std::lock_guard lock(mutex_);
    auto [found, is_new] = ids_.try_emplace(std::move(key), static_cast<std::uint32_t>(keys_.size()));
    if (is_new) keys_.push_back(&found->first);
    return found->second;
  }
  TypeKey key(std::uint32_t id) {
    std::lock_guard lock(mutex_);
    return id < keys_.size() ? *keys_[id] : TypeKey{0};
  }
  static TypeIds& instance() {
    static auto* const ids = new TypeIds;
    return *ids;
  }

private:
  std::mutex mutex_;
  std::map<TypeKey, std::uint32_t> ids_;
  std::deque<const TypeKey*> keys_;
};

// A type of the module becomes its canonical id, or, when it is not known yet (the type itself, or a later one of its recursion
// group), its distance.
std::uint32_t canonical_value(std::uint32_t raw, std::span<const std::uint32_t> known) {
  auto type = wasm::ValType::from_raw(raw);
  if (!type.is_ref() || !type.heap().is_concrete()) return raw;
  std::uint32_t index = type.heap().index().value;
  constexpr std::uint32_t kDistance = 1 << 26;
  std::uint32_t id =
      index < known.size() ? known[index] : kDistance + (index - static_cast<std::uint32_t>(known.size()));
  return wasm::ValType::ref(type.is_nullable(), wasm::HeapType(wasm::TypeIndex(id))).raw();
}

std::uint32_t intern(const artifact::FuncTypeMeta& type, std::span<const std::uint32_t> known) {
  TypeKey key;
  key.reserve(1 + type.params.size() + type.results.size());
  key.push_back(static_cast<std::uint32_t>(type.params.size()));
  for (std::uint32_t raw : type.params) key.push_back(canonical_value(raw, known));
  for (std::uint32_t raw : type.results) key.push_back(canonical_value(raw, known));
  return TypeIds::instance().intern(std::move(key));
}

} // namespace

struct Code::State {
  std::vector<std::vector<std::uint32_t>> type_ids;
  std::unordered_map<std::uint32_t, std::uint32_t> entries; // canonical type → text offset
  GuestCode guest;
  AddressRegistration text, file;
};

Result<std::shared_ptr<const Code>> Code::load(std::shared_ptr<const artifact::Artifact> artifact) {
  CUSP_TRY(initialize());
  std::shared_ptr<Code> code(new Code);
  code->artifact_ = std::move(artifact);
  code->state_ = std::make_unique<State>();
  State& state = *code->state_;
  const artifact::ArtifactMeta& meta = code->artifact_->meta();
  for (const artifact::ModuleMeta& module : meta.modules) {
    std::vector<std::uint32_t> ids;
    ids.reserve(module.types.size());
    for (const artifact::FuncTypeMeta& type : module.types) ids.push_back(intern(type, ids));
    for (std::size_t i = 0; i < module.entries.size() && i < ids.size(); ++i)
      if (module.entries[i] != artifact::kNoText) state.entries.emplace(ids[i], module.entries[i]);
    state.type_ids.push_back(std::move(ids));
  }
  const std::uint8_t* text = code->artifact_->code();
  state.guest.begin = text;
  state.guest.end = text + code->artifact_->text_size();
  state.guest.trap_stubs = text + meta.trap_stubs;
  state.guest.owner = code.get();
  std::span<const std::uint8_t> file = code->artifact_->mapping();
  state.text = AddressRegistration(guest_code_table(), state.guest.begin, state.guest.end, &state.guest);
  state.file = AddressRegistration(artifact_table(), file.data(), file.data() + file.size(), &state.guest);
  return code;
}

Code::~Code() = default;

const GuestCode& Code::guest() const { return state_->guest; }

Result<void> Code::check_whole() const {
  if (!state_->guest.damaged.load(std::memory_order_relaxed)) [[likely]]
    return {};
  return base::fail(base::ErrorCode::Corrupt, artifact_->name() + " was cut off while it was in use");
}

std::span<const std::uint32_t> Code::type_ids(std::uint32_t module) const { return state_->type_ids[module]; }

const void* Code::entry_for(std::uint32_t type_id) const {
  auto found = state_->entries.find(type_id);
  return found == state_->entries.end() ? nullptr : text(found->second);
}

std::uint32_t intern_type(const artifact::FuncTypeMeta& type) { return intern(type, {}); }

std::string type_text(std::uint32_t type_id) {
  TypeKey key = TypeIds::instance().key(type_id);
  wasm::FuncType type;
  for (std::size_t i = 1; i < key.size(); ++i)
    (i <= key[0] ? type.params : type.results).push_back(wasm::ValType::from_raw(key[i]));
  return type.to_string();
}

} // namespace cusp::runtime
