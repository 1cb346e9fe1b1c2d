// Format, little-endian: Header, a ModuleEntry for each module, then for each module its blocks' index entries, the end
// offsets of its file names, their text, and a stream of variable-length integers. A block holds up to kBlockRows rows
// and stands alone. A row is: distance of its offset from the row before (of the block's first: from the index entry),
// then file and line as signed distances from the row before.
#include "artifact/line_table.h"

#include <cstring>

#include "artifact/varint.h"

namespace cusp::artifact {

namespace {

constexpr std::uint32_t kMagic = 0x31544c43; // "CLT1"
constexpr std::size_t kBlockRows = 64;

struct Header {
  std::uint32_t magic, modules;
};
struct ModuleEntry {
  std::uint32_t at, blocks, files, text_size, stream_size; // `at`: of the index, from the start of the table
};
struct IndexEntry {
  std::uint32_t wasm_offset, stream_offset;
};

template <class T> void append(std::vector<std::uint8_t>& out, const T* items, std::size_t count) {
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(items);
  out.insert(out.end(), bytes, bytes + count * sizeof(T));
}

template <class T> T load(std::span<const std::uint8_t> table, std::uint64_t at) {
  T value;
  std::memcpy(&value, table.data() + at, sizeof value);
  return value;
}

ModuleEntry write_module(const ModuleLines& module, std::vector<std::uint8_t>& out) {
  std::vector<IndexEntry> index;
  std::vector<std::uint8_t> stream;
  LineRow last;
  std::size_t in_block = kBlockRows;
  for (std::size_t i = 0; i < module.rows.size(); ++i) {
    const LineRow& row = module.rows[i];
    if (i + 1 < module.rows.size() && module.rows[i + 1].wasm_offset == row.wasm_offset) continue;
    if (!index.empty() && row.line == last.line && (row.line == 0 || row.file == last.file)) continue;
    if (in_block == kBlockRows) {
      index.push_back({row.wasm_offset, static_cast<std::uint32_t>(stream.size())});
      last = {row.wasm_offset, 0, 0}, in_block = 0;
    }
    ++in_block;
    put_unsigned(stream, row.wasm_offset - last.wasm_offset);
    put_distance(stream, last.file, row.file);
    put_distance(stream, last.line, row.line);
    last = row;
  }
  std::vector<std::uint32_t> ends;
  std::string text;
  for (const std::string& file : module.files) ends.push_back(static_cast<std::uint32_t>((text += file).size()));
  ModuleEntry entry{static_cast<std::uint32_t>(out.size()), static_cast<std::uint32_t>(index.size()),
                    static_cast<std::uint32_t>(ends.size()), static_cast<std::uint32_t>(text.size()),
                    static_cast<std::uint32_t>(stream.size())};
  append(out, index.data(), index.size());
  append(out, ends.data(), ends.size());
  append(out, text.data(), text.size());
  append(out, stream.data(), stream.size());
  return entry;
}

// One module's part, every size of it checked against the table.
class ModuleReader {
public:
  ModuleReader(std::span<const std::uint8_t> table, ModuleEntry entry) : table_(table), entry_(entry) {}

  bool is_whole() const { return stream_at() + entry_.stream_size <= table_.size(); }

  // Line 0 when no row holds there. REQUIRES: is_whole()
  LineRow row_at(std::uint32_t wasm_offset) const {
    std::uint32_t low = 0, high = entry_.blocks; // the block before the first that starts beyond wasm_offset
    while (low < high) {
      std::uint32_t middle = low + (high - low) / 2;
      if (block(middle).wasm_offset <= wasm_offset) low = middle + 1;
      else high = middle;
    }
    if (low == 0) return {};
    const std::uint32_t from = block(low - 1).stream_offset;
    const std::uint32_t to = low < entry_.blocks ? block(low).stream_offset : entry_.stream_size;
    if (to > entry_.stream_size || from > to) return {};
    const std::uint8_t* bytes = table_.data() + stream_at();
    VarintStream stream{bytes + from, bytes + to};
    LineRow found, row{block(low - 1).wasm_offset, 0, 0};
    while (stream.at != stream.end) {
      row.wasm_offset += stream.get();
      row.file = stream.get_distance(row.file);
      row.line = stream.get_distance(row.line);
      if (!stream.ok) return {};
      if (row.wasm_offset > wasm_offset) break;
      found = row;
    }
    return found;
  }

  // Empty when there is no such file. REQUIRES: is_whole()
  std::string_view file(std::uint32_t index) const {
    if (index >= entry_.files) return {};
    const std::uint32_t from = index == 0 ? 0 : end_of(index - 1), to = end_of(index);
    if (from > to || to > entry_.text_size) return {};
    return {reinterpret_cast<const char*>(table_.data()) + text_at() + from, to - from};
  }

private:
  std::uint64_t ends_at() const { return entry_.at + std::uint64_t{entry_.blocks} * sizeof(IndexEntry); }
  std::uint64_t text_at() const { return ends_at() + std::uint64_t{entry_.files} * 4; }
  std::uint64_t stream_at() const { return text_at() + entry_.text_size; }
  IndexEntry block(std::uint32_t index) const {
    return load<IndexEntry>(table_, entry_.at + std::uint64_t{index} * sizeof(IndexEntry));
  }
  std::uint32_t end_of(std::uint32_t index) const {
    return load<std::uint32_t>(table_, ends_at() + std::uint64_t{index} * 4);
  }

  std::span<const std::uint8_t> table_;
  ModuleEntry entry_;
};

} // namespace

std::vector<std::uint8_t> write_line_table(std::span<const ModuleLines> modules) {
  bool is_empty = true;
  for (const ModuleLines& module : modules) is_empty &= module.rows.empty();
  if (is_empty) return {};
  std::vector<std::uint8_t> out(sizeof(Header) + modules.size() * sizeof(ModuleEntry));
  Header header{kMagic, static_cast<std::uint32_t>(modules.size())};
  std::memcpy(out.data(), &header, sizeof header);
  for (std::size_t i = 0; i < modules.size(); ++i) {
    ModuleEntry entry = write_module(modules[i], out);
    std::memcpy(out.data() + sizeof header + i * sizeof entry, &entry, sizeof entry);
  }
  return out;
}

SourceLine find_source_line(std::span<const std::uint8_t> table, std::uint32_t module, std::uint32_t wasm_offset) {
  if (table.size() < sizeof(Header)) return {};
  const auto header = load<Header>(table, 0);
  const std::uint64_t at = sizeof header + std::uint64_t{module} * sizeof(ModuleEntry);
  if (header.magic != kMagic || module >= header.modules || at + sizeof(ModuleEntry) > table.size()) return {};
  ModuleReader reader(table, load<ModuleEntry>(table, at));
  if (!reader.is_whole()) return {};
  const LineRow row = reader.row_at(wasm_offset);
  const std::string_view file = row.line == 0 ? std::string_view() : reader.file(row.file);
  return file.empty() ? SourceLine{} : SourceLine{file, row.line};
}

} // namespace cusp::artifact
