// Format, little-endian: Header, then the frames' offsets, their layouts, the pads' return addresses, their pads, their
// stack pointers: five arrays of 32-bit words. A layout is a nibble per register and twelve bits of gap. Neighbours
// of one layout share an entry, so that a table is far shorter than the list of functions.
#include "artifact/unwind_table.h"

#include <cstring>

namespace cusp::artifact {

namespace {

constexpr std::uint32_t kMagic = 0x31545543; // "CUT1"

struct Header {
  std::uint32_t magic, frames, pads, reserved;
};

std::uint32_t pack(const FrameLayout& layout) {
  std::uint32_t word = std::uint32_t{layout.gap} << 20;
  for (unsigned i = 0; i < kSavedRegisters; ++i) word |= std::uint32_t{layout.slots[i]} << (4 * i);
  return word;
}

FrameLayout unpack(std::uint32_t word) {
  FrameLayout layout;
  layout.gap = static_cast<std::uint16_t>(word >> 20);
  for (unsigned i = 0; i < kSavedRegisters; ++i) layout.slots[i] = static_cast<std::uint8_t>(word >> (4 * i) & 15);
  return layout;
}

std::uint32_t pack(const StackPointer& stack) {
  return stack.words | std::uint32_t{stack.pushed} << 24 | std::uint32_t{stack.align_log2} << 27;
}

StackPointer unpack_stack(std::uint32_t word) {
  return {word & StackPointer::kMaxWords, static_cast<std::uint8_t>(word >> 24 & 7),
          static_cast<std::uint8_t>(word >> 27)};
}

class Reader {
public:
  explicit Reader(std::span<const std::uint8_t> table) {
    if (table.size() < sizeof header_) return;
    std::memcpy(&header_, table.data(), sizeof header_);
    const std::uint64_t words = std::uint64_t{header_.frames} * 2 + std::uint64_t{header_.pads} * 3;
    if (header_.magic != kMagic || sizeof header_ + words * 4 != table.size()) header_ = {};
    words_ = table.data() + sizeof header_;
  }
  std::uint32_t frames() const { return header_.frames; }
  std::uint32_t pads() const { return header_.pads; }
  std::uint64_t pads_at() const { return std::uint64_t{header_.frames} * 2; }
  std::uint32_t word(std::uint64_t index) const {
    std::uint32_t value;
    std::memcpy(&value, words_ + index * 4, sizeof value);
    return value;
  }
  // How many of the sorted words [first, first + count) are at most `value`.
  std::uint32_t count_up_to(std::uint64_t first, std::uint32_t count, std::uint32_t value) const {
    std::uint32_t low = 0, high = count;
    while (low < high) {
      std::uint32_t middle = low + (high - low) / 2;
      if (word(first + middle) <= value) low = middle + 1;
      else high = middle;
    }
    return low;
  }

private:
  Header header_{};
  const std::uint8_t* words_ = nullptr;
};

} // namespace

std::vector<std::uint8_t> write_unwind_table(std::span<const FrameSite> frames, std::span<const LandingPad> pads) {
  std::vector<std::uint32_t> offsets, layouts;
  for (std::size_t i = 0; i < frames.size(); ++i) {
    const FrameSite& site = frames[i];
    const std::uint32_t layout = pack(site.layout);
    if (i + 1 < frames.size() && frames[i + 1].text_offset == site.text_offset) continue;
    if (!layouts.empty() && layouts.back() == layout) continue;
    offsets.push_back(site.text_offset);
    layouts.push_back(layout);
  }
  const Header header{kMagic, static_cast<std::uint32_t>(offsets.size()), static_cast<std::uint32_t>(pads.size()), 0};
  std::vector<std::uint8_t> out(sizeof header);
  std::memcpy(out.data(), &header, sizeof header);
  auto put = [&](std::uint32_t word) {
    for (int shift = 0; shift < 32; shift += 8) out.push_back(static_cast<std::uint8_t>(word >> shift));
  };
  for (std::uint32_t offset : offsets) put(offset);
  for (std::uint32_t layout : layouts) put(layout);
  for (const LandingPad& pad : pads) put(pad.return_address);
  for (const LandingPad& pad : pads) put(pad.pad);
  for (const LandingPad& pad : pads) put(pack(pad.stack));
  return out;
}

std::optional<FrameLayout> lookup_frame(std::span<const std::uint8_t> table, std::uint32_t text_offset) {
  const Reader in(table);
  const std::uint32_t found = in.count_up_to(0, in.frames(), text_offset);
  if (found == 0) return std::nullopt;
  return unpack(in.word(std::uint64_t{in.frames()} + found - 1));
}

std::optional<LandingPad> lookup_landing_pad(std::span<const std::uint8_t> table, std::uint32_t return_address) {
  const Reader in(table);
  const std::uint32_t found = in.count_up_to(in.pads_at(), in.pads(), return_address);
  if (found == 0 || in.word(in.pads_at() + found - 1) != return_address) return std::nullopt;
  const std::uint64_t pads = in.pads_at() + in.pads() + found - 1;
  return LandingPad{return_address, in.word(pads), unpack_stack(in.word(pads + in.pads()))};
}

} // namespace cusp::artifact
