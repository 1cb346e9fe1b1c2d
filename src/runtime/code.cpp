#include "runtime/code.h"

#include <unordered_map>

#include "runtime/address_table.h"
#include "runtime/store.h"

namespace cusp::runtime {

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
    std::vector<std::uint32_t> ids = CUSP_TRY(intern_types(module.types));
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

} // namespace cusp::runtime
