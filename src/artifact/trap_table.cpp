// Format, little-endian: Header, `blocks` index entries, then a stream of variable-length integers. A block holds up to
// kBlockSites sites and stands alone, so that a look-up is a binary search and a short walk. A site is: distance of its
// text offset from the site before (of the block's first: from the index entry), number of frames, how many of the
// outermost frames equal those of the site before, then the other frames from the outermost to the innermost as signed
// distances from the innermost frame of the site before: module, func, wasm offset.
#include "artifact/trap_table.h"

#include <algorithm>
#include <cstring>

#include "artifact/varint.h"

namespace cusp::artifact {

namespace {

constexpr std::uint32_t kMagic = 0x31545443; // "CTT1"
constexpr std::size_t kBlockSites = 32;
constexpr std::size_t kMaxFrames = 64; // deeper inlining loses its outermost frames

struct Header {
  std::uint32_t magic, blocks, stream_size, reserved;
};
struct IndexEntry {
  std::uint32_t text_offset, stream_offset;
};

// The frames of the site that was decoded or written last, outermost first.
struct Site {
  std::uint32_t count = 0;
  GuestFrame frames[kMaxFrames];
  GuestFrame innermost() const { return count == 0 ? GuestFrame{} : frames[count - 1]; }
};

bool read_site(VarintStream& stream, Site& site) {
  std::uint32_t count = stream.get(), shared = stream.get();
  if (!stream.ok || count > kMaxFrames || shared > count || shared > site.count) return false;
  GuestFrame near = site.innermost();
  for (std::uint32_t i = shared; i < count; ++i) {
    near.module = stream.get_distance(near.module);
    near.func = stream.get_distance(near.func);
    near.wasm_offset = stream.get_distance(near.wasm_offset);
    site.frames[i] = near;
  }
  site.count = count;
  return stream.ok;
}

void write_site(std::vector<std::uint8_t>& out, Site& last, const std::vector<GuestFrame>& frames) {
  std::uint32_t count = static_cast<std::uint32_t>(std::min(frames.size(), kMaxFrames)), shared = 0;
  while (shared < count && shared < last.count && last.frames[shared] == frames[count - 1 - shared]) ++shared;
  put_unsigned(out, count);
  put_unsigned(out, shared);
  GuestFrame near = last.innermost();
  for (std::uint32_t i = shared; i < count; ++i) {
    const GuestFrame& frame = frames[count - 1 - i];
    put_distance(out, near.module, frame.module);
    put_distance(out, near.func, frame.func);
    put_distance(out, near.wasm_offset, frame.wasm_offset);
    last.frames[i] = near = frame;
  }
  last.count = count;
}

} // namespace

std::vector<std::uint8_t> write_trap_table(const std::vector<TrapSite>& sites) {
  std::vector<IndexEntry> index;
  std::vector<std::uint8_t> stream;
  Site last;
  std::uint32_t last_offset = 0;
  std::size_t in_block = kBlockSites;
  const std::vector<GuestFrame>* last_frames = nullptr;
  for (const TrapSite& site : sites) {
    if (last_frames != nullptr && *last_frames == site.frames) continue;
    last_frames = &site.frames;
    if (in_block == kBlockSites) {
      index.push_back({site.text_offset, static_cast<std::uint32_t>(stream.size())});
      last = {}, last_offset = site.text_offset, in_block = 0;
    }
    ++in_block;
    put_unsigned(stream, site.text_offset - last_offset);
    last_offset = site.text_offset;
    write_site(stream, last, site.frames);
  }
  Header header{kMagic, static_cast<std::uint32_t>(index.size()), static_cast<std::uint32_t>(stream.size()), 0};
  std::vector<std::uint8_t> out(sizeof header + index.size() * sizeof(IndexEntry) + stream.size());
  std::memcpy(out.data(), &header, sizeof header);
  if (!index.empty()) std::memcpy(out.data() + sizeof header, index.data(), index.size() * sizeof(IndexEntry));
  std::ranges::copy(stream, out.end() - static_cast<std::ptrdiff_t>(stream.size()));
  return out;
}

std::size_t lookup_trap_site(std::span<const std::uint8_t> table, std::uint32_t text_offset,
                             std::span<GuestFrame> frames) {
  Header header;
  if (table.size() < sizeof header) return 0;
  std::memcpy(&header, table.data(), sizeof header);
  std::uint64_t stream_start = sizeof header + std::uint64_t{header.blocks} * sizeof(IndexEntry);
  if (header.magic != kMagic || stream_start + header.stream_size != table.size()) return 0;
  auto entry = [&](std::uint32_t i) {
    IndexEntry e;
    std::memcpy(&e, table.data() + sizeof header + i * sizeof e, sizeof e);
    return e;
  };
  std::uint32_t low = 0, high = header.blocks; // the block before the first that starts beyond text_offset
  while (low < high) {
    std::uint32_t middle = low + (high - low) / 2;
    if (entry(middle).text_offset <= text_offset) low = middle + 1;
    else high = middle;
  }
  if (low == 0) return 0;
  IndexEntry block = entry(low - 1);
  std::uint32_t stream_end = low < header.blocks ? entry(low).stream_offset : header.stream_size;
  if (stream_end > header.stream_size || block.stream_offset > stream_end) return 0;
  const std::uint8_t* stream_bytes = table.data() + stream_start;
  VarintStream stream{stream_bytes + block.stream_offset, stream_bytes + stream_end};
  Site site;
  std::uint32_t at = block.text_offset;
  while (stream.at != stream.end) {
    VarintStream peek = stream;
    at += peek.get();
    if (!peek.ok) return 0;
    if (at > text_offset) break;
    stream = peek;
    if (!read_site(stream, site)) return 0;
  }
  std::size_t count = std::min<std::size_t>(site.count, frames.size());
  for (std::size_t i = 0; i < count; ++i) frames[i] = site.frames[site.count - 1 - i];
  return count;
}

} // namespace cusp::artifact
